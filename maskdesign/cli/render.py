"""`maskdesign render`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional

from maskdesign.cli.terminal import OptionalPath, Switch, parse, print_json, shown_progress

OptionalTurntable = Annotated[Literal["gif", "mp4"] | None, tyro.conf.arg(metavar="gif|mp4", help_behavior_hint="")]


@dataclass(frozen=True)
class RenderArgs:
    """Take pictures of a design on its wearer.

    Attributes:
        run: Run folder of a finished design.
        views: Sides with commas between them: front, or left, right, up, down with degrees; right30+up10 turns twice;
            photo lays the mask on the wearer's photograph.
        size: Longer side of the pictures in pixels, 32 to 4096.
        texture: Show this picture on the mask instead of the design.
        out: Folder of the pictures; renders in the run folder else.
        turntable: Write a full turn too: gif, at most 480 pixels wide, or mp4, at most 1024.
        json: Print one JSON document on stdout.
    """

    run: Positional[Path]
    views: str = "front,left45,right45,up45,down20"
    size: int = 1024
    texture: OptionalPath = None
    out: OptionalPath = None
    turntable: OptionalTurntable = None
    json: Switch = False


def main(words: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    args = parse(RenderArgs, "render", words)
    from maskdesign.jobs.render import render_run

    names = [name.strip() for name in args.views.split(",")]
    with shown_progress() as progress:
        files = render_run(args.run, names, args.size, args.texture, args.out, args.turntable, progress)
    if args.json:
        print_json({"pictures": [str(path) for path in files]})
    else:
        print("\n".join(f"Wrote {path}" for path in files))
    return 0
