"""The socket through which a run is asked to learn its driver anew."""

from __future__ import annotations

import socket
import stat

import pytest
from click.testing import CliRunner

from cli import edge_c2vl
from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.outputs.control import Control, ask


class Run:
    def __init__(self):
        self.calibrations = 0

    def calibrate(self):
        self.calibrations += 1


@pytest.fixture
def listening(tmp_path):
    path, run = tmp_path / "control.sock", Run()
    control = Control(str(path))
    control.attach(run)
    yield path, run
    control.close()
    assert not path.exists()


def test_the_command_asks_and_is_answered(listening):
    path, run = listening
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    result = CliRunner().invoke(edge_c2vl, ["calibrate", str(path)])
    assert (result.exit_code, run.calibrations) == (0, 1)
    assert "learnt anew" in result.output


def test_other_clients_change_nothing(listening):
    path, run = listening
    with pytest.raises(EdgeC2VLError, match="it answered b'unknown'"):
        ask(path, b"reboot")
    with pytest.raises(EdgeC2VLError, match="unknown"):
        ask(path, b"calibrate" * 1000)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(path))  # and goes again
    ask(path)
    assert run.calibrations == 1


def test_a_path_without_a_run_is_told(tmp_path):
    with pytest.raises(EdgeC2VLError, match=r"No such file or directory; start the run with --control"):
        ask(tmp_path / "nothing.sock")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="a file that is no socket stands there"):
        Control(str(tmp_path / "file"))
