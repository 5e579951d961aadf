"""Writes alerts for ever, as fast as they go, and says on standard output which number is on the disk."""

from __future__ import annotations

import sys
from dataclasses import replace

from edge_c2vl.outputs.jsonl import JsonLines
from tests.support.fleet import ALERT
from tests.support.records import DECISION


def main(path: str, first: int) -> None:
    sink = JsonLines(path, "state", rotate_bytes=20_000, keep=1000)
    number = first
    while True:
        sink.decision(DECISION)
        sink.alert(replace(ALERT, number=number))
        print(number, flush=True)
        number += 1


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
