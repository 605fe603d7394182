"""Key files: sealed with AES-256-GCM under a passphrase stretched by scrypt; any change makes them useless.

Layout: magic (8 bytes), version (1), scrypt's log2 N (1), salt (16), nonce (12), then ciphertext and tag. Everything
before the ciphertext is associated data: a changed header is refused like a changed secret.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from maskdesign.digital.key import MAX_PAYLOAD_BYTES, PhotoKey, pack_key, unpack_key
from maskdesign.errors import KeyFileError
from maskdesign.files import check_readable, write_bytes

MAGIC = b"MASKDKEY"
VERSION = 1
SALT_BYTES, NONCE_BYTES, TAG_BYTES = 16, 12, 16
HEADER_BYTES = len(MAGIC) + 2 + SALT_BYTES + NONCE_BYTES
LOG2_N = 17
"""scrypt's work factor as OWASP advises it: 128 MiB and about half a second for every guess of a passphrase."""
LOG2_N_ACCEPTED = range(14, 21)
"""A file may ask for no less, which would be weak, and for no more, which would exhaust the memory."""


class SealError(Exception):
    """A sealed key that does not open. It does not say why: every reason has to look the same."""


def _derive(passphrase: bytes, salt: bytes, log2_n: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=1 << log2_n, r=8, p=1).derive(passphrase)


def seal(key: PhotoKey, passphrase: bytes, log2_n: int = LOG2_N) -> bytes:
    """Encrypt a key with a fresh salt and nonce; the same key sealed twice gives different bytes."""
    if log2_n not in LOG2_N_ACCEPTED:
        raise ValueError(f"log2_n = {log2_n} must lie between {LOG2_N_ACCEPTED[0]} and {LOG2_N_ACCEPTED[-1]}")
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    header = MAGIC + bytes([VERSION, log2_n]) + salt + nonce
    return header + AESGCM(_derive(passphrase, salt, log2_n)).encrypt(nonce, pack_key(key), header)


def unseal(data: bytes, passphrase: bytes) -> PhotoKey:
    """Decrypt a key.

    Raises:
        SealError: wrong passphrase, damaged, truncated, of another version, or no key file.
    """
    header, rest = data[:HEADER_BYTES], data[HEADER_BYTES:]
    start = len(MAGIC)
    if len(rest) < TAG_BYTES or header[: start + 1] != MAGIC + bytes([VERSION]):
        raise SealError
    log2_n, salt = header[start + 1], header[start + 2 : start + 2 + SALT_BYTES]
    if log2_n not in LOG2_N_ACCEPTED:
        raise SealError
    try:
        payload = AESGCM(_derive(passphrase, salt, log2_n)).decrypt(header[-NONCE_BYTES:], rest, header)
        return unpack_key(payload)
    except (InvalidTag, ValueError) as error:
        raise SealError from error


def write_key(path: Path, sealed: bytes) -> None:
    """Write a sealed key into a file that only its owner may read, atomically."""
    write_bytes(path, sealed, mode=0o600)


def read_key_bytes(path: Path) -> bytes:
    """What a key file holds, still sealed.

    Raises:
        InputError: no such file.
        KeyFileError: larger than any key.
    """
    check_readable(path)
    if path.stat().st_size > MAX_PAYLOAD_BYTES:
        raise KeyFileError(f"{path}: larger than {MAX_PAYLOAD_BYTES >> 20} MiB, no key file; name the photo's .key")
    return path.read_bytes()


def is_key_file(path: Path) -> bool:
    """Whether a file begins like a key file."""
    if not path.is_file() or not os.access(path, os.R_OK):
        return False
    with path.open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC
