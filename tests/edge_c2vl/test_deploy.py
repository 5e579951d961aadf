"""What is in deploy/: it fits the command, and the tools that know such files find nothing."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from edge_c2vl.commands.run import run
from edge_c2vl.utils.telemetry import SWITCHES
from tests.support.programs import needs

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
OPTIONS = {option for parameter in run.params for option in parameter.opts}


@pytest.mark.parametrize("name", ["edge-c2vl.service", "environment", "Dockerfile.jetson", "Dockerfile.x86-64"])
def test_every_option_that_is_named_there_is_one_of_run(name):
    lines = [line for line in (DEPLOY / name).read_text().splitlines() if "edge-c2vl run" in line or "OPTIONS=" in line]
    named = {
        option for line in lines for option in re.findall(r" (--[a-z-]+)|=(--[a-z-]+)", line.split("docker run")[0])
    }
    assert {option for pair in named for option in pair if option} <= OPTIONS


@pytest.mark.parametrize("name", ["edge-c2vl.service", "Dockerfile.jetson", "Dockerfile.x86-64"])
def test_onnx_runtime_is_told_to_send_nothing(name):
    line = "Environment=ORT_DISABLE_TELEMETRY=1" if name.endswith(".service") else "ENV ORT_DISABLE_TELEMETRY=1"
    assert line in (DEPLOY / name).read_text().splitlines()
    assert SWITCHES["ORT_DISABLE_TELEMETRY"] == "1"


def test_the_unit_is_one_that_systemd_understands(tmp_path):
    needs("systemd-analyze", "systemd")
    unit = tmp_path / "edge-c2vl.service"
    # The program that it starts is not installed here.
    unit.write_text(
        (DEPLOY / "edge-c2vl.service").read_text().replace("/opt/edge-c2vl/current/bin/edge-c2vl", "/bin/true")
    )
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    # 0 is closed, 10 wide open; a unit without any of its protections has 9.6.
    secure = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=25", unit], capture_output=True
    )
    assert secure.returncode == 0, secure.stdout


def test_the_installer_says_what_it_would_do_and_does_nothing():
    unit = Path("/usr/local/lib/systemd/system/edge-c2vl.service")
    where = [Path("/opt/edge-c2vl"), Path("/etc/edge-c2vl"), unit]
    places = [path.exists() for path in where]
    done = subprocess.run(["bash", DEPLOY / "install.sh", "--dry-run"], capture_output=True, text=True)
    if "needs Python" in done.stderr or "venv module" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    assert str(unit) in done.stdout
    assert places == [path.exists() for path in where]


def test_the_installer_passes_shellcheck():
    done = subprocess.run([needs("shellcheck"), DEPLOY / "install.sh"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_wrong_usage_is_not_started_again():
    from edge_c2vl.errors import UsageError

    assert f"RestartPreventExitStatus={UsageError.exit_code}" in (DEPLOY / "edge-c2vl.service").read_text().splitlines()
