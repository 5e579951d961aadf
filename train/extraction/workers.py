"""Where videos are read: processes on this machine, or an existing Ray cluster.

A runner takes jobs from a queue, to which more may be added meanwhile, and yields what happens to them. It ends when
the queue is empty and nothing is under way. A process that is killed costs the one video it was reading.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from threading import Thread
from typing import TYPE_CHECKING, Any

from edge_c2vl.errors import EdgeC2VLError, UsageError

if TYPE_CHECKING:
    from train.extraction.video import ExtractSettings, Skeletons

# Memory of one process: MediaPipe, OpenCV and an HD video.
BYTES_A_WORKER = 450_000_000


@dataclass(frozen=True)
class Job:
    index: int
    path: str


@dataclass(frozen=True)
class Moved:
    """So much of a job (0 to 1) is done."""

    index: int
    share: float


@dataclass(frozen=True)
class Done:
    index: int
    result: Skeletons


@dataclass(frozen=True)
class Failed:
    index: int
    reason: str


Event = Moved | Done | Failed


def default_workers() -> int:
    """A process for each core that this one may use, as far as the free memory goes."""
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, int(psutil.virtual_memory().available // BYTES_A_WORKER)))


def end_with_parent() -> None:
    """Ends this process, whatever it does, as soon as its parent was killed."""
    parent = parent_process()
    assert parent is not None
    Thread(target=lambda: (connection.wait([parent.sentinel]), os._exit(1)), daemon=True).start()


def run_local(queue: deque[Job], recipe: ExtractSettings, count: int) -> Generator[Event, None, None]:
    """Up to `count` processes on this machine."""
    crew: list[_Worker] = []
    try:
        while queue or any(worker.job for worker in crew):
            while queue and len(crew) < count and all(worker.job for worker in crew):
                crew.append(_Worker(recipe))
            for worker in crew:
                if queue and worker.job is None:
                    worker.give(queue.popleft())
            yield from _events(crew)
    finally:
        for worker in crew:
            worker.end()


def _events(crew: list[_Worker]) -> Iterator[Event]:
    """Waits for news and yields it. A worker that has died is taken out of the crew."""
    ready = connection.wait([worker.pipe for worker in crew])
    for worker in [worker for worker in crew if worker.pipe in ready]:
        try:
            event = worker.pipe.recv()
        except (EOFError, OSError):
            crew.remove(worker)
            worker.end(wait_s=5)  # a process whose pipe has ended is about to end itself
            if worker.job is not None:
                yield Failed(worker.job.index, f"the process that read it {worker.how_it_ended()}")
        else:
            if not isinstance(event, Moved):
                worker.job = None
            yield event


class _Worker:
    """One process and the pipe to it. `job`: what it works on."""

    def __init__(self, recipe: ExtractSettings) -> None:
        # spawn: forking a process in which a library runs threads (OpenCV, MediaPipe) can deadlock.
        context = get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_work, args=(other, recipe), daemon=True)
        # Ctrl-C reaches every process of a terminal: the parent alone answers it, and ends its workers.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        other.close()
        self.job: Job | None = None

    def give(self, job: Job) -> None:
        self.job = job
        with contextlib.suppress(OSError):  # it died, which reading from the pipe will tell
            self.pipe.send(job)

    def end(self, wait_s: float = 0.0) -> None:
        self.pipe.close()
        self.process.join(wait_s)
        self.process.kill()
        self.process.join()

    def how_it_ended(self) -> str:
        code = self.process.exitcode or 0
        if code >= 0:
            return f"ended with code {code}"
        return f"was killed by {signal.Signals(-code).name}" + (": out of memory?" if code == -signal.SIGKILL else "")


def _work(pipe: Any, recipe: ExtractSettings) -> None:
    """A worker's life: jobs until the pipe ends."""
    import cv2

    end_with_parent()
    # Each worker has one core; further threads would compete with the other workers.
    cv2.setNumThreads(1)
    while True:
        try:
            job = pipe.recv()
            pipe.send(attempt(job, recipe, lambda share, index=job.index: pipe.send(Moved(index, share))))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def attempt(job: Job, recipe: ExtractSettings, tell: Any) -> Done | Failed:
    """Reads one video; whatever is wrong with it becomes a reason."""
    from train.extraction.video import read_video

    try:
        return Done(job.index, read_video(job.path, recipe, tell))
    except (BrokenPipeError, ConnectionResetError):
        raise
    except EdgeC2VLError as error:
        return Failed(job.index, str(error))
    except Exception as error:  # a codec's or a network's own: the other videos go on
        return Failed(job.index, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")


def run_ray(queue: deque[Job], recipe: ExtractSettings, address: str) -> Generator[Event, None, None]:
    """A Ray cluster that is running: a task a video, one core each. All nodes see the videos under the same paths and
    have this package installed. Raises UsageError where Ray is missing or the cluster cannot be reached."""
    try:
        import ray
    except ModuleNotFoundError:
        raise UsageError("--ray needs Ray: install it with pip install 'edge-c2vl[cluster]'") from None
    _check_reachable(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, ignore_reinit_error=True)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        raise UsageError(f"no Ray cluster at {address}: {' '.join(str(error).split())[:200]}") from None
    task = ray.remote(num_cpus=1, max_retries=0)(_ray_attempt)
    # As many under way as there are cores, and a few waiting: results must not pile up in the object store.
    most = int(ray.cluster_resources().get("CPU", 1)) + 2
    running: dict[Any, Job] = {}
    try:
        while queue or running:
            while queue and len(running) < most:
                job = queue.popleft()
                running[task.remote(job, recipe)] = job
            ready, _ = ray.wait(list(running), num_returns=1)
            job = running.pop(ready[0])
            try:
                yield ray.get(ready[0])
            except ray.exceptions.RayError as error:
                yield Failed(job.index, f"its Ray task failed: {type(error).__name__}")
    finally:
        for reference in running:
            ray.cancel(reference, force=True)
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Ray itself tries for minutes before it says that nobody answers at HOST:PORT. Raises UsageError."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():  # else a word that Ray knows, such as auto
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except (OSError, OverflowError) as error:
            raise UsageError(f"no Ray cluster at {address}: {error}") from None


def _ray_attempt(job: Job, recipe: ExtractSettings) -> Done | Failed:
    return attempt(job, recipe, lambda _share: None)
