"""Calls a function in a separate process, and measures the memory of a process."""

from __future__ import annotations

import multiprocessing
import resource
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from edge_c2vl.errors import EdgeC2VLError


def in_own_process(function: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Calls a function of a module in a fresh interpreter. Raises what it raised, where that is an EdgeC2VLError."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sender, function, arguments))
    process.start()
    sender.close()
    try:
        answer = receiver.recv()
    except EOFError:
        process.join()
        raise EdgeC2VLError(f"{function.__name__} ended with code {process.exitcode} before it answered") from None
    finally:
        process.join()
    if isinstance(answer, Exception):
        raise answer
    result: dict[str, Any] = answer
    return result


def _answer(sender: Connection, function: Callable[..., dict[str, Any]], arguments: tuple[Any, ...]) -> None:
    try:
        sender.send(function(*arguments))
    except EdgeC2VLError as error:
        sender.send(error)


def peak_rss_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3 / 1.024), 1)
