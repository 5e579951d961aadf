"""Fixtures that several tests use."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The matrices and networks of the tests are so small that a second thread of NumPy or PyTorch costs time, on a busy
# machine most of it. Before either is imported: afterwards nobody asks.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import edge_c2vl  # noqa: F401, first, for its switches (edge_c2vl/utils/telemetry.py)
from tests.support.programs import find_data, free_port, needs
from tests.support.videos import Recordings

# The same examples in every run, and none fails for being slow on a busy machine. Writing each example over the last
# one in a test's folder is what is wanted.
settings.register_profile(
    "edge-c2vl",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("edge-c2vl")


# A shell that runs this in the background has SIGINT ignored, and processes that the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
# nohup has SIGHUP ignored, which a run leaves so.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(hookwrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is imported stays, so the garbage collector need not look through its half a million objects: that takes a
    quarter of the time of collecting the tests, and again while they run."""
    gc.disable()
    yield
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    folder = find_data()
    if folder is None:
        pytest.skip("needs the shared recordings: set EDGE_C2VL_DATA or put them at ../shared/data")
    return folder


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    """recording(name) -> file: one that the project draws itself, or a shared one; see tests/support/videos.py."""
    folder = tmp_path_factory.getbasetemp()
    # The processes of pytest-xdist have a folder each, in one of the session.
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "recordings"
    folder.mkdir(exist_ok=True)
    return Recordings(folder, find_data())


@pytest.fixture(scope="module")
def kept_answers() -> Iterator[None]:
    """For modules that look at one recording several times; see tests/support/networks.py."""
    from tests.support import networks

    with networks.kept_answers():
        yield


@dataclass
class Mosquitto:
    """A real broker on 127.0.0.1 that can be killed and started again on the same port."""

    program: str
    folder: Path
    port: int
    process: subprocess.Popen | None = None

    def start(self, access: str = "allow_anonymous true") -> None:
        config = self.folder / "mosquitto.conf"
        config.write_text(f"listener {self.port} 127.0.0.1\n{access}\n")
        self.process = subprocess.Popen(
            [self.program, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        pytest.fail("mosquitto did not start")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    mosquitto = Mosquitto(needs("mosquitto"), tmp_path, free_port())
    mosquitto.start()
    yield mosquitto
    mosquitto.kill()
