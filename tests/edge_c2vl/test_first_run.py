"""What somebody meets first: no camera, the version, the Tab key."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from cli import COMMANDS, edge_c2vl
from edge_c2vl import __version__
from edge_c2vl.cameras import device
from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.errors import CameraError


def run(*arguments, **environment):
    return CliRunner().invoke(edge_c2vl, arguments, env=environment, standalone_mode=False)


def completed(*words):
    """What the shell is offered for the last of the words."""
    environment = {"_EDGE_C2VL_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(("edge-c2vl", *words))}
    done = subprocess.run(
        [sys.executable, "-c", "import cli; cli.main()"],
        env=os.environ | environment | {"COMP_CWORD": str(len(words))},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("cameras", "message"),
    [
        ([], r"no camera is plugged in here, so --camera simulated:story .* or --camera sample"),
        (["/dev/video0", "/dev/video2"], r"say what to watch: --camera /dev/video0 or --camera /dev/video2$"),
    ],
)
def test_run_without_a_camera_says_what_to_watch(monkeypatch, cameras, message):
    monkeypatch.setattr(device, "devices", lambda: cameras)
    error = run("run").exception
    assert isinstance(error, click.UsageError)
    assert error.exit_code == 2
    with pytest.raises(click.UsageError, match=message):
        raise error


def test_a_camera_that_is_not_there_says_how_to_do_without(monkeypatch):
    monkeypatch.setattr(device, "devices", list)
    with pytest.raises(CameraError, match=r"cameras here: none.*plugged in, or .* --camera simulated:story"):
        open_camera("/dev/video99")
    monkeypatch.setattr(device, "devices", lambda: ["/dev/video7"])
    with pytest.raises(CameraError, match=r"cameras here: /dev/video7\); check that it is plugged in$"):
        open_camera("/dev/video99")


def test_version():
    assert run("--version").output == f"edge-c2vl, version {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_what_the_shell_reads(shell, tmp_path):
    script = run("completion", shell).output
    assert "_EDGE_C2VL_COMPLETE" in script
    assert run("completion", SHELL=f"/usr/bin/{shell}").output == script
    if shutil.which(shell):
        (tmp_path / "script").write_text(script)
        assert subprocess.run([shell, "-n", tmp_path / "script"]).returncode == 0


def test_another_shell_is_refused():
    with pytest.raises(click.UsageError, match="name your shell: bash, zsh, fish"):
        raise run("completion", SHELL="/bin/tcsh").exception


def test_the_tab_key_offers_commands_options_and_cameras():
    assert [line.partition(",")[2] for line in completed("")] == list(COMMANDS)
    assert completed("run", "--dec") == ["plain,--decide-by", "plain,--decisions"]
    assert completed("run", "--camera", "s") == ["plain,sample", "plain,simulated"]
    assert completed("run", "--camera", "drive") == ["file,drive"]
    assert completed("run", "--bundle", "my") == ["dir,my"]
    assert completed("labels", "") == ["plain,add", "plain,list", "plain,remove"]
