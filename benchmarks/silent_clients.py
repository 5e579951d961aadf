"""What clients that say nothing cost a run that serves the page and metrics.

    python benchmarks/silent_clients.py [--clients 1000] [--files 1024] [--page-only] [--tree FOLDER]

`edge-c2vl run` is a process of its own, with the simulated camera and at most --files descriptors. Each attack opens
--clients TCP connections to the page and, unless --page-only, as many to /metrics, from another process; all on
127.0.0.1. Printed for each attack: descriptors of the run, seconds until /healthz, the page and /metrics answer (the
worst of three; null where no answer came within 12 s), lines on standard error, and whether the run still lives.
--tree: another checkout to measure.

    none       nobody
    silent     connections that say nothing
    drip       a request to each of which a byte is added every second
    idle       complete requests, whose connections are kept open
    websocket  WebSockets on the page (with --token: which show no token); silent connections on /metrics
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil

PATIENCE_S = 12.0
ATTACKS = ("none", "silent", "drip", "idle", "websocket")
TOKEN = "a-token-for-this-benchmark"


def requests(port: int) -> dict[str, str]:
    head = f"Host: 127.0.0.1:{port}\r\n"
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    return {
        "silent": "",
        "drip": f"GET / HTTP/1.1\r\n{head}X-Filler: ",
        "idle": f"GET /healthz HTTP/1.1\r\n{head}\r\n",
        "websocket": f"GET /live HTTP/1.1\r\n{head}{upgrade}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    }


def attack(kind: str, ports: list[int], count: int) -> None:
    """Opens `count` connections to each port and holds them until standard input is closed."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, count * len(ports) + 100), most))
    clients = []
    for _ in range(count):
        for number, port in enumerate(ports):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            clients.append((client, requests(port)["silent" if kind == "websocket" and number else kind]))
    time.sleep(0.5)
    for client, text in clients:
        say(client, text)
    print("open", flush=True)
    while not select.select([sys.stdin], [], [], 1.0)[0]:
        for client, _ in clients if kind == "drip" else ():
            say(client, "a")


def say(client: socket.socket, text: str) -> None:
    try:
        client.send(text.encode())
    except OSError:
        return  # it was closed, which is its right


def answer_s(url: str, token: str | None) -> float | None:
    """Seconds until a whole answer with code 200; None where there is none."""
    began = time.monotonic()
    try:
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            answer.read()
    except (OSError, http.client.HTTPException):
        return None
    return round(time.monotonic() - began, 3)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def worst(values: list[float | None]) -> float | None:
    answered = [value for value in values if value is not None]
    return max(answered) if len(answered) == len(values) else None


def measure(kind: str, asked: argparse.Namespace) -> dict[str, object]:
    page, metrics = free_port(), free_port()
    token = TOKEN if asked.token else None
    env = os.environ | ({"EDGE_C2VL_TOKEN": TOKEN} if token else {})
    command = [sys.executable, "cli.py", "run", "--camera", "simulated:story?fps=5&size=320x180", "--quiet"]
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (asked.files, asked.files))  # noqa: E731
    with tempfile.TemporaryFile() as errors:
        run = subprocess.Popen(
            [*command, "--serve", str(page), "--metrics", str(metrics)],
            cwd=asked.tree,
            stderr=errors,
            env=env | {"PYTHONPATH": str(asked.tree)},
            preexec_fn=limit,
        )
        attacker = None
        try:
            urls = [f"http://127.0.0.1:{page}/healthz", f"http://127.0.0.1:{page}/"]
            urls.append(f"http://127.0.0.1:{metrics}/metrics")
            end_s = time.monotonic() + 60
            while answer_s(urls[0], token) is None or answer_s(urls[2], token) is None:
                if time.monotonic() > end_s:
                    raise SystemExit("the run did not start")
                time.sleep(0.2)
            time.sleep(2.0)
            if kind != "none":
                ports = [str(page)] if asked.page_only else [str(page), str(metrics)]
                me = [sys.executable, __file__, "--be", kind, "--clients", str(asked.clients), "--ports", *ports]
                attacker = subprocess.Popen(me, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                assert attacker.stdout is not None
                attacker.stdout.readline()
            seconds: dict[str, list[float | None]] = {"healthz": [], "page": [], "metrics": []}
            descriptors = 0
            for _ in range(3):
                for taken, url in zip(seconds.values(), urls, strict=True):
                    if None not in taken:
                        taken.append(answer_s(url, token))
                    if run.poll() is None:
                        descriptors = max(descriptors, psutil.Process(run.pid).num_fds())
            alive = run.poll() is None
            errors.seek(0)
            lines = len(errors.read().splitlines())
            return {
                "attack": kind,
                "alive": alive,
                "descriptors": descriptors,
                **{f"{name}_s": worst(taken) for name, taken in seconds.items()},
                "stderr_lines": lines,
            }
        finally:
            if attacker is not None:
                attacker.kill()
                attacker.wait()
            run.send_signal(signal.SIGTERM)
            try:
                run.wait(15)
            except subprocess.TimeoutExpired:
                run.kill()
                run.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--files", type=int, default=1024, help="Descriptors that the run may have (ulimit -n).")
    parser.add_argument("--page-only", action="store_true")
    parser.add_argument("--token", action="store_true", help="The run asks for a token.")
    parser.add_argument("--attacks", nargs="+", choices=ATTACKS, default=ATTACKS)
    parser.add_argument("--tree", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--be", choices=ATTACKS, help=argparse.SUPPRESS)
    parser.add_argument("--ports", nargs="+", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.be:
        attack(asked.be, asked.ports, asked.clients)
        return
    for kind in asked.attacks:
        print(json.dumps(measure(kind, asked)), flush=True)


if __name__ == "__main__":
    main()
