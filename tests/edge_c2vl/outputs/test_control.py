"""The socket through which a run is asked to learn its driver anew."""

from __future__ import annotations

import errno
import socket
import stat
import time

import pytest
from click.testing import CliRunner

from cli import edge_c2vl
from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.outputs import control as module
from edge_c2vl.outputs.control import MAX_LINE, Control, ask


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
    run.control = control
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


def test_a_client_that_sends_byte_by_byte_keeps_nobody_waiting(listening, monkeypatch):
    path, run = listening
    monkeypatch.setattr(module, "CLIENT_TIMEOUT_S", 0.2)

    def drip(slow):
        for _ in range(MAX_LINE):
            slow.sendall(b"c")
            time.sleep(0.05)

    with socket.socket(socket.AF_UNIX) as slow:
        slow.connect(str(path))
        with pytest.raises(ConnectionError):
            drip(slow)
    ask(path)
    assert run.calibrations == 1


def test_without_a_free_descriptor_it_waits_and_goes_on(listening, monkeypatch, caplog):
    class Full:
        tries = 0

        def __init__(self, listener):
            self._listener = listener

        def __getattr__(self, name):
            return getattr(self._listener, name)

        def accept(self):
            Full.tries += 1
            if Full.tries < 3:
                raise OSError(errno.EMFILE, "Too many open files")
            return self._listener.accept()

    path, run = listening
    monkeypatch.setattr(module, "ACCEPT_PAUSE_S", 0.05)
    monkeypatch.setattr(run.control, "_listener", Full(run.control._listener))
    ask(path)
    assert (Full.tries, run.calibrations) == (3, 1)
    assert caplog.text.count("Too many open files") == 1
