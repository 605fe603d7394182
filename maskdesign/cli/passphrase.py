"""The passphrase of key files: from a file, from the environment, or asked for; never a word of the command line."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

from maskdesign.errors import InputError, UsageError
from maskdesign.files import check_readable

VARIABLE = "MASKDESIGN_PASSPHRASE"
MAX_BYTES = 4096


def read_passphrase(file: Path | None, confirm: bool) -> bytes:
    """The passphrase as UTF-8, without the line break at its end.

    Args:
        file: holds it; None asks the environment variable MASKDESIGN_PASSPHRASE, then the terminal.
        confirm: ask twice, because a mistyped new passphrase would lock the photo up.

    Raises:
        InputError: the file cannot be read, is empty or too long; or two answers differ.
        UsageError: there is no passphrase and nobody to ask.
    """
    if file is not None:
        return _from_file(file)
    if os.environ.get(VARIABLE):
        return os.environ[VARIABLE].encode()
    if not sys.stdin.isatty():
        raise UsageError(f"no passphrase: name a file with --passphrase-file, set {VARIABLE}, or run in a terminal")
    answer = getpass.getpass("Passphrase of the key: ")
    if not answer:
        raise InputError("the passphrase is empty; choose one")
    if confirm and getpass.getpass("Once more: ") != answer:
        raise InputError("the two passphrases differ; run the command again")
    return answer.encode()


def _from_file(file: Path) -> bytes:
    check_readable(file)
    if file.stat().st_size > MAX_BYTES:
        raise InputError(f"{file}: longer than {MAX_BYTES} bytes, no passphrase; put it on one line of a file")
    words = file.read_bytes().rstrip(b"\r\n")
    if not words:
        raise InputError(f"{file}: holds no passphrase; write one into it")
    return words
