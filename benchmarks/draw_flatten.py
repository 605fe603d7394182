"""Draws the picture of docs/faces-and-masks.md on flattening.

python -m benchmarks.draw_flatten
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from maskdesign.faces.head import builtin_face
from maskdesign.faces.scan import save_face
from maskdesign.jobs.flat_surfaces import FlattenRequest
from maskdesign.jobs.flatten import flatten_surface

DOCS = Path(__file__).parents[1] / "docs"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        face, out = Path(folder) / "face.npz", Path(folder) / "flat.npz"
        save_face(builtin_face(), face)
        flatten_surface(FlattenRequest(face), out, show=True)
        (DOCS / "flatten.png").write_bytes(out.with_name("flat_flat.png").read_bytes())


if __name__ == "__main__":
    main()
