"""`maskdesign restore`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from maskdesign.cli.terminal import OptionalPath, Switch, parse, print_json


@dataclass(frozen=True)
class RestoreArgs:
    """Give a protected photo its original pixels back, bit for bit; where that is impossible, say why.

    Attributes:
        photo: The protected photo, as `maskdesign protect` wrote it.
        key: Its key file.
        out: .png, .webp or .tif for the original.
        passphrase_file: Holds the passphrase; else MASKDESIGN_PASSPHRASE counts, else you are asked.
        json: Print one JSON document on stdout.
    """

    photo: Positional[Path]
    key: Path
    out: Path
    passphrase_file: OptionalPath = None
    json: Switch = False


def main(words: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    args = parse(RestoreArgs, "restore", words)
    from maskdesign.cli.passphrase import read_passphrase
    from maskdesign.files import check_readable
    from maskdesign.jobs.restore import restore_photo

    check_readable(args.photo)
    check_readable(args.key)
    summary = restore_photo(args.photo, args.key, args.out, read_passphrase(args.passphrase_file, confirm=False))
    if args.json:
        print_json(summary)
    else:
        print(f"restored: {summary['restored']}; its pixels equal the original's")
    return 0
