"""What is in deploy/: it fits the command, and the tools that know such files find nothing."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_c2vl.commands.run import run
from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.runtime.settings import RunSettings
from edge_c2vl.settings.config_file import read_settings
from edge_c2vl.utils.telemetry import SWITCHES
from tests.support.programs import needs

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
OPTIONS = {option for parameter in run.params for option in parameter.opts}


@pytest.mark.parametrize("name", ["edge-c2vl.service", "make-config.sh", "Dockerfile.jetson", "Dockerfile.x86-64"])
def test_every_option_that_is_named_there_is_one_of_run(name):
    lines = [line for line in (DEPLOY / name).read_text().splitlines() if re.search("edge-c2vl run|options", line)]
    named = {option for line in lines for option in re.findall(r"[ (](--[a-z-]+)", line.split("docker run")[0])}
    assert named or name.startswith("Docker")
    assert named <= OPTIONS


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
    scripts = [DEPLOY / "install.sh", DEPLOY / "make-config.sh"]
    done = subprocess.run([needs("shellcheck"), *scripts], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def made_config(tmp_path: Path) -> tuple[RunSettings, subprocess.CompletedProcess]:
    """What the service's first config.yaml says, made from an older installation's files in tmp_path."""
    program = tmp_path / "edge-c2vl"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {DEPLOY.parent}/cli.py "$@"\n')
    program.chmod(0o755)
    done = subprocess.run(["bash", DEPLOY / "make-config.sh", tmp_path, program], capture_output=True, text=True)
    (tmp_path / "config.yaml").write_text(done.stdout)
    return read_settings({}, tmp_path / "config.yaml", RunSettings)[0], done


SERVICE = {
    "camera": "/dev/video0", "bundle": "/opt/edge-c2vl/current/bundle", "reconnect": True, "quiet": True,
    "events": "/var/lib/edge-c2vl/events.jsonl",
    "rotate_mb": 20,
}  # fmt: skip


def test_the_first_config_of_a_service(tmp_path):
    shutil.copy(DEPLOY / "environment", tmp_path)
    found, done = made_config(tmp_path)
    assert found == RunSettings.of(**SERVICE)
    assert done.stderr == ""


@pytest.mark.parametrize("quote", ["", '"'])
def test_the_first_config_keeps_what_an_older_installation_was_told(tmp_path, quote):
    options = "--camera-mode ir --crop 0.5,0,0.5,1 --speed 'can:can0?dbc=a car.dbc&signal=V' --rotate-mb 5"
    (tmp_path / "environment").write_text(f"# CAMERA=1\nCAMERA=csi://0\nOPTIONS={quote}{options}{quote}\n")
    (tmp_path / "settings.yaml").write_text("policy:\n  recovery: 3\n")
    found, done = made_config(tmp_path)
    own = {"camera": "csi://0", "rotate_mb": 5, "camera_mode": "ir", "crop": "0.5,0,0.5,1"}
    policy = PolicySettings(recovery=3)
    assert found == RunSettings.of(**SERVICE | own, speed="can:can0?dbc=a car.dbc&signal=V", policy=policy)
    assert done.stderr == ""


class Installed:
    """A system in a folder, on which releases are complete. What each brings as config.yaml, where it brings one."""

    def __init__(self, root: Path, **configs: str | None) -> None:
        self.root, self.opt, self.config = root, root / "opt/edge-c2vl", root / "etc/edge-c2vl/config.yaml"
        before = None
        for name, config in configs.items():
            made = self.opt / "releases" / name
            (made / "bin").mkdir(parents=True)
            (made / "complete").touch()
            (made / "bin/edge-c2vl").write_text(f'#!/bin/sh\nexec {sys.executable} {DEPLOY.parent}/cli.py "$@"\n')
            (made / "bin/edge-c2vl").chmod(0o755)
            if config is not None:
                (made / "config.yaml").write_text(config)
            if before is not None:
                (made / "previous").symlink_to(f"releases/{before}")
            before = name
        (self.opt / "current").symlink_to(f"releases/{before}")
        self.config.parent.mkdir(parents=True)
        self.config.symlink_to("/opt/edge-c2vl/current/config.yaml")

    def install(self, *arguments: str | Path) -> str:
        """Runs the installer, and returns what it said of errors."""
        path = f"{Path(sys.base_prefix) / 'bin'}:{os.environ['PATH']}"
        environment = os.environ | {"PATH": path, "EDGE_C2VL_KEEP_PATH": "1"}
        done = subprocess.run(
            ["bash", *arguments, "--root", self.root], env=environment, capture_output=True, text=True
        )
        if "venv module" in done.stderr:
            pytest.skip(done.stderr.strip())
        assert done.returncode == 0, done.stderr
        return done.stderr


def test_back_to_a_release_without_a_config_the_vehicle_keeps_the_fleets(tmp_path):
    system = Installed(tmp_path, first=None, second="camera: csi://0\n")
    assert system.install(DEPLOY / "install.sh", "--rollback") == ""
    assert os.readlink(system.opt / "current") == "releases/first"
    assert (system.config.is_symlink(), system.config.read_text()) == (False, "camera: csi://0\n")
    assert sorted(path.name for path in system.config.parent.iterdir()) == ["config.yaml"]


@pytest.mark.parametrize("last", [None, "camera: csi://0\n"])
def test_a_package_without_a_config_after_one_with(tmp_path, last):
    """Also where the link leads nowhere: power failed, or an older installer went back."""
    system = Installed(tmp_path / "root", second=None, first=last)
    package = tmp_path / "package"
    package.mkdir()
    for name in ("install.sh", "make-config.sh", "edge-c2vl.service", "environment"):
        shutil.copy(DEPLOY / name, package)
    (package / "jetson.md").touch()
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    told = f"release=second\nwanted_python=python{version}\nwanted_machine={platform.machine()}\n"
    (package / "package.env").write_text(told)
    (package / "SHA256SUMS").write_text(f"{hashlib.sha256(told.encode()).hexdigest()}  package.env\n")
    assert system.install(package / "install.sh") == ""
    assert os.readlink(system.opt / "current") == "releases/second"
    assert not system.config.is_symlink()
    found = read_settings({}, system.config, RunSettings)[0]
    assert found == (RunSettings.of(**SERVICE) if last is None else RunSettings.of(camera="csi://0"))
    assert sorted(path.name for path in system.config.parent.iterdir()) == ["config.yaml", "environment"]


def test_wrong_usage_is_not_started_again():
    from edge_c2vl.errors import UsageError

    assert f"RestartPreventExitStatus={UsageError.exit_code}" in (DEPLOY / "edge-c2vl.service").read_text().splitlines()
