"""Fetching one file of known content over https; what a broken connection left is continued, never trusted."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from maskdesign.errors import OutputError, RecognizerError
from maskdesign.progress import Progress

TIMEOUT_S = 30.0
CHUNK_BYTES = 1 << 18


def download(url: str, target: Path, sha256: str, size_bytes: int, progress: Progress) -> None:
    """Bring a file here; `TARGET.part` holds what an earlier call got and is continued with a Range request.

    Args:
        url: https, or http on 127.0.0.1.
        target: where the file shall stand; written only when its digest is right.
        sha256, size_bytes: of the whole file.

    Raises:
        RecognizerError: the address is not https, does not answer, or answers with something else.
        OutputError: the folder cannot be written.
    """
    _check_address(url)
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _fetch(url, part, size_bytes, progress)
        _check_content(part, url, sha256, size_bytes)
        part.replace(target)
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise RecognizerError(f"{url}: {reason}; run the same command again, it goes on where it stopped") from error
    except OSError as error:
        raise OutputError(f"{part}: cannot be written ({error.strerror}); name another folder with --models") from error


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and (parts.scheme, parts.hostname) != ("http", "127.0.0.1"):
        raise RecognizerError(f"{url}: is not https; nothing was fetched")


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirects (large files lie on other hosts), but to https only."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        _check_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch(url: str, part: Path, size_bytes: int, progress: Progress) -> None:
    have = part.stat().st_size if part.exists() else 0
    if have >= size_bytes:
        return
    headers = {"User-Agent": "maskdesign", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the scheme was checked
    with urllib.request.build_opener(_HttpsOnly).open(request, timeout=TIMEOUT_S) as answer:
        # A server that ignores Range sends the whole file again.
        goes_on = have > 0 and answer.status == 206 and _starts_at(answer, have)
        with part.open("ab" if goes_on else "wb") as stream:
            _copy(answer, stream, have if goes_on else 0, size_bytes, progress)


def _starts_at(answer: Any, have: int) -> bool:
    return str(answer.headers.get("Content-Range", "")).startswith(f"bytes {have}-")


def _copy(answer: Any, stream: IO[bytes], have: int, size_bytes: int, progress: Progress) -> None:
    # Never more than the file is long, whatever the server sends.
    while have < size_bytes and (chunk := answer.read(min(CHUNK_BYTES, size_bytes - have))):
        stream.write(chunk)
        have += len(chunk)
        progress.advance(have >> 10, size_bytes >> 10, "KiB")
    stream.flush()
    os.fsync(stream.fileno())


def _check_content(part: Path, url: str, sha256: str, size_bytes: int) -> None:
    size = part.stat().st_size
    if size < size_bytes:
        raise RecognizerError(
            f"{url}: the connection ended after {size} of {size_bytes} bytes; run it again, it goes on there"
        )
    with part.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256:
        part.unlink()
        raise RecognizerError(f"{url}: sha256 is {found}, expected {sha256}; the file was thrown away")
