"""Other files that a scan file names: only pictures and materials in its own folder are opened."""

from __future__ import annotations

from pathlib import Path

from maskdesign.errors import ScanError


def beside(path: Path, name: str) -> Path:
    """The file `name` that `path` refers to.

    Raises:
        ScanError: the name leads out of the folder of `path`, by an absolute path, `..`, a link or an address.
    """
    clean = name.strip().strip('"').replace("\\", "/")
    outside = ScanError(f"{path}: refers to {clean[:80]!r} outside of its folder; put the file beside it")
    if "://" in clean or "\0" in clean or len(clean) > 255 or not clean:
        raise outside
    folder = path.parent.resolve()
    target = (folder / clean).resolve()
    if not target.is_relative_to(folder):
        raise outside
    return target


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """The bytes of a file that is not larger than a limit.

    Raises:
        ScanError: it is larger.
    """
    if path.stat().st_size > max_bytes:
        raise ScanError(f"{path}: {path.stat().st_size >> 20} MiB; at most {max_bytes >> 20} are read")
    return path.read_bytes()
