"""`maskdesign models`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from tyro.conf import Positional

from maskdesign.cli.terminal import OptionalPath, Switch, parse, print_json


@dataclass(frozen=True)
class ModelsArgs:
    """List the recognizers that a design would meet: dlib's, and every NAME.onnx with a NAME.toml in a folder.

    Attributes:
        action: What to do.
        models: Folder of ONNX recognizers; MASKDESIGN_MODELS else.
        json: Print one JSON document on stdout.
    """

    action: Positional[Literal["list"]] = "list"
    models: OptionalPath = None
    json: Switch = False


def main(words: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    args = parse(ModelsArgs, "models", words)
    from maskdesign.recognition.registry import list_recognizers

    rows = list_recognizers(args.models)
    if args.json:
        print_json([asdict(row) for row in rows])
        return 0
    for row in rows:
        print(row)
    return 0
