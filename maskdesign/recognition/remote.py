"""Black boxes outside this process: a command that answers line by line, or a service at an address.

Both speak JSON. The question about B crops is `{"shape": [B, 3, h, w], "crops": "..."}`, base64 of little-endian
float32 as the specification normalizes them; one that compares gets a second picture each, `"claimed"`, of the same
shape. The answer is `{"embeddings": [[...], ...]}` or `{"scores": [...]}`, or `{"error": "why"}`. A command reads one
question a line from stdin and writes one answer a line to stdout; it is started once. A service is asked by POST.
"""

from __future__ import annotations

import atexit
import base64
import json
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from maskdesign.errors import RecognizerError
from maskdesign.recognition.black_box import Crops

Exchange = Callable[[bytes], bytes]
"""One question, one answer; raises RecognizerError where none comes."""
MAX_ANSWER_BYTES = 64 << 20
CHUNK_BYTES = 1 << 16


def remote_embed(name: str, exchange: Exchange) -> Callable[[Crops], NDArray]:
    """An `embed(crops)` for `embedding_box`."""
    return lambda crops: _asked(name, exchange, {"shape": crops.shape, "crops": _text(crops)}, "embeddings")


def remote_score(name: str, exchange: Exchange) -> Callable[[Crops, Crops], NDArray]:
    """A `score(a, b)` for `score_box`."""

    def score(probes: Crops, claimed: Crops) -> NDArray:
        question = {"shape": probes.shape, "crops": _text(probes), "claimed": _text(claimed)}
        return _asked(name, exchange, question, "scores")

    return score


def _text(crops: Crops) -> str:
    return base64.b64encode(crops.astype("<f4").tobytes()).decode()


def _asked(name: str, exchange: Exchange, question: dict[str, Any], wanted: str) -> NDArray:
    answer = exchange(json.dumps(question).encode())
    try:
        # NaN is no JSON, but json reads it; the black box names it.
        document = json.loads(answer)
        if "error" in document:
            raise RecognizerError(f"{name}: answered with an error: {' '.join(str(document['error']).split())[:200]}")
        return np.array(document[wanted], dtype=np.float64)
    except (ValueError, TypeError, KeyError) as error:
        raise RecognizerError(f"{name}: the answer is no JSON with {wanted!r}: {answer[:80]!r}") from error


def service(name: str, url: str, timeout_s: float) -> Exchange:
    """Ask a service by POST; redirects are not followed, since faces go nowhere but to the address that was given.

    Args:
        url: http or https.
        timeout_s: for a whole answer.

    Raises:
        RecognizerError: the address is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RecognizerError(f"{name}: url = {url!r} must be an address such as http://127.0.0.1:8000/embed")
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def exchange(question: bytes) -> bytes:
        connection = kind(str(parts.hostname), parts.port, timeout=timeout_s)
        try:
            connection.request("POST", path, question, {"Content-Type": "application/json"})
            return _read_answer(name, url, connection.getresponse(), time.monotonic() + timeout_s)
        except TimeoutError as error:
            raise RecognizerError(f"{name}: {url} did not answer within {timeout_s:g} s; raise timeout_s") from error
        except (OSError, HTTPException) as error:
            raise RecognizerError(f"{name}: {url} cannot be asked ({error}); start it or correct url") from error
        finally:
            connection.close()

    return exchange


def _read_answer(name: str, url: str, response: Any, deadline: float) -> bytes:
    if response.status != 200:
        raise RecognizerError(f"{name}: {url} answered with status {response.status}; look at its log")
    answer = bytearray()
    while chunk := response.read1(CHUNK_BYTES):
        answer += chunk
        if time.monotonic() > deadline:
            raise TimeoutError
        if len(answer) > MAX_ANSWER_BYTES:
            raise RecognizerError(
                f"{name}: {url} answered with more than {MAX_ANSWER_BYTES >> 20} MiB; ask fewer crops"
            )
    return bytes(answer)


class Command:
    """A program that is started at the first question and answers line by line; an `Exchange`."""

    def __init__(self, name: str, words: Sequence[str], timeout_s: float) -> None:
        self.name, self.words, self.timeout_s = name, list(words), timeout_s
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self, question: bytes) -> bytes:
        """Raises `RecognizerError` where the program is missing, ends, or takes longer than `timeout_s`."""
        try:
            return self._exchange(self._running(), question + b"\n")
        except RecognizerError:
            # After a late or torn answer the lines no longer belong together.
            self.stop()
            raise

    def stop(self) -> None:
        """End the program."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            try:
                self._process = subprocess.Popen(self.words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
            except OSError as error:
                raise RecognizerError(f"{self.name}: {self.words[0]} cannot be started ({error.strerror})") from error
            atexit.register(self.stop)
        return self._process

    def _exchange(self, process: subprocess.Popen[bytes], question: bytes) -> bytes:
        assert process.stdin and process.stdout
        deadline, answer, rest = time.monotonic() + self.timeout_s, bytearray(), memoryview(question)
        with selectors.DefaultSelector() as ready:
            for pipe, event in ((process.stdin, selectors.EVENT_WRITE), (process.stdout, selectors.EVENT_READ)):
                os.set_blocking(pipe.fileno(), False)
                ready.register(pipe, event)
            while not answer.endswith(b"\n"):
                events = ready.select(max(0.0, deadline - time.monotonic()))
                if not events:
                    raise RecognizerError(
                        f"{self.name}: {self.words[0]} did not answer within {self.timeout_s:g} s; raise timeout_s"
                    )
                for key, _ in events:
                    if key.fileobj is process.stdin:
                        rest = self._write(process, rest)
                        if not rest:
                            ready.unregister(process.stdin)
                    else:
                        answer += self._read(process)
        return bytes(answer)

    def _write(self, process: subprocess.Popen[bytes], rest: memoryview) -> memoryview:
        assert process.stdin
        try:
            return rest[os.write(process.stdin.fileno(), rest[:CHUNK_BYTES]) :]
        except BrokenPipeError as error:
            raise RecognizerError(f"{self.name}: {self.words[0]} ended; see what it wrote to stderr") from error

    def _read(self, process: subprocess.Popen[bytes]) -> bytes:
        assert process.stdout
        chunk = os.read(process.stdout.fileno(), CHUNK_BYTES)
        if not chunk:
            raise RecognizerError(f"{self.name}: {self.words[0]} ended; see what it wrote to stderr")
        return chunk
