"""Pools of processes, also where there can be none."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

log = logging.getLogger("edge_c2vl")


def make_pool(workers: int, initializer: Callable[[], object] | None = None) -> Executor:
    """A pool of `workers` processes, each of which calls `initializer` first. Where processes cannot share a lock (in a
    container without /dev/shm): one thread of this process, without `initializer`, and a warning."""
    # spawn: forking a process in which a library runs threads (OpenCV, Arrow, PyTorch) can deadlock.
    context = get_context("spawn")
    try:
        context.Lock()
    except (OSError, ImportError) as error:
        why = getattr(error, "strerror", None) or error
        log.warning("one process instead of %d: processes cannot share a lock (/dev/shm: %s)", workers, why)
        return ThreadPoolExecutor(1)
    return ProcessPoolExecutor(workers, context, initializer)
