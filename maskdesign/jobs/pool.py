"""The same work on many files, a process for every core."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from maskdesign.errors import MaskdesignError

Result = TypeVar("Result")


def in_processes(work: Callable[..., Result], arguments: Sequence[tuple[Any, ...]]) -> Iterator[Result]:
    """Call a function of a module with each tuple of arguments; results come as they are done.

    Where one process is all there would be, this one does the work: a fresh one takes seconds to begin.

    Args:
        work: importable by name, for fresh processes: mediapipe's threads do not survive a fork.
        arguments: what can be pickled.

    Raises:
        MaskdesignError: a process was killed.
    """
    workers = min(available_cores(), len(arguments))
    if workers <= 1:
        yield from (work(*words) for words in arguments)
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _prepare_worker) as pool:
        jobs = [pool.submit(work, *words) for words in arguments]
        try:
            for job in as_completed(jobs):
                yield job.result()
        except BrokenProcessPool as error:
            raise MaskdesignError(
                "a process was killed, perhaps for lack of memory; the same command goes on where it stopped"
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _prepare_worker() -> None:
    # One thread each: there is a process for every core.
    os.environ["OMP_NUM_THREADS"] = "1"
    import cv2

    cv2.setNumThreads(1)
