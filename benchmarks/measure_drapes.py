"""Drape the three-pleat mask on many heads at several openings and write every figure to docs/drape-population.json.

Heads are the project's own population and, where given, random identities of an ICT-FaceKit model and scans made into
faces by `maskdesign face`. Killed, the same command goes on where it stopped; a refusal is written down as one.

    python benchmarks/measure_drapes.py [--heads 50] [--ict MODEL.npz] [--faces FACE.npz ...] [--openings 100 115 125]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from maskdesign.errors import MaskdesignError
from maskdesign.faces.formats.ict import read_ict
from maskdesign.faces.population import random_head, random_ict_head
from maskdesign.faces.scan import FaceScan, load_face
from maskdesign.files import write_json
from maskdesign.mask.drape import drape_mask
from maskdesign.mask.pattern import MaskPattern
from maskdesign.mask.settings import DrapeSettings

OUT = Path(__file__).parent.parent / "docs" / "drape-population.json"
SEED = 11
OPENINGS_MM = (115.0, 100.0, 125.0, 107.5, 130.0, 120.0, 95.0)
"""Every head meets the first ones left for it, so that few rounds already cover all openings."""


def heads(count: int, ict: Path | None, faces: list[Path]) -> Iterator[tuple[str, Callable[[], FaceScan]]]:
    """Names, and how to make each head; every second one is of the ICT model where there is one."""
    model = None if ict is None else read_ict(ict)
    for path in faces:
        yield path.stem, lambda path=path: load_face(path)
    for number in range(count - len(faces)):
        if model is not None and number % 2:
            yield f"ict {number}", lambda number=number: random_ict_head(model, SEED, number)
        else:
            yield f"own {number}", lambda number=number: random_head(SEED, number)


def drape(face: FaceScan, opening_mm: float) -> dict:
    """The figures of one drape, or why it was refused."""
    try:
        return asdict(drape_mask(face, MaskPattern(), DrapeSettings(opening_mm=opening_mm)).report)
    except MaskdesignError as error:
        return {"refused": str(error)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", type=int, default=50)
    parser.add_argument("--ict", type=Path)
    parser.add_argument("--faces", type=Path, nargs="*", default=[])
    parser.add_argument("--openings", type=int, default=1, help="of each head")
    args = parser.parse_args()
    rows = json.loads(OUT.read_text())["drapes"] if OUT.exists() else []
    done = {(row["head"], row["opening_mm"]) for row in rows}
    for number, (name, make) in enumerate(heads(args.heads, args.ict, args.faces)):
        for turn in range(args.openings):
            opening_mm = OPENINGS_MM[(number + turn) % len(OPENINGS_MM)]
            if (name, opening_mm) in done:
                continue
            rows.append({"head": name, "opening_mm": opening_mm, "figures": drape(make(), opening_mm)})
            write_json(OUT, {"command": "python benchmarks/measure_drapes.py", "drapes": rows})
            print(f"{number + 1}/{args.heads} {rows[-1]}", file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
