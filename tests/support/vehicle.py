"""A vehicle's computer in a folder, on which packages are installed without a network: of this machine's kind, or an
emulated aarch64 machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from edge_c2vl.packaging import Target

AARCH64_RUN = Path(__file__).resolve().parents[2] / "tools" / "aarch64-run"


def unpack(package: Path, folder: Path) -> Path:
    with tarfile.open(package) as archive:
        archive.extractall(folder)
    return next(folder.iterdir())


class Vehicle:
    """root: where its system lies. Commands are named by their paths here."""

    def __init__(self, root: Path, target: Target, alone: list[str], timeout_s: float = 200, seconds: int = 4) -> None:
        """alone: the command behind which another one has no network. seconds: of the film that `works` plays."""
        self.root, self.target, self._alone, self._timeout_s, self._seconds = root, target, alone, timeout_s, seconds

    @classmethod
    def here(cls, folder: Path) -> Vehicle:
        for alone in (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]):
            if shutil.which("unshare") and subprocess.run([*alone, "true"], capture_output=True).returncode == 0:
                return cls(folder / "vehicle", Target.here(), alone)
        pytest.skip("a machine without a network cannot be made here: needs unshare, and namespaces")

    @property
    def unpacked(self) -> Path:
        """A folder for packages that its commands can reach."""
        return self.root.parent

    def seen(self, path: Path) -> Path:
        """How a command there names a path."""
        return path

    def install(self, package: Path, *options: str) -> subprocess.CompletedProcess[str]:
        command = self._installer(package, *options)
        return subprocess.run(command, env=self._environment(), capture_output=True, text=True, timeout=self._timeout_s)

    def killed(self, package: Path, after_s: float) -> bool:
        """Ends the install and all that it started after a while; whether it was still at work."""
        process = subprocess.Popen(
            self._installer(package),
            env=self._environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(after_s)
        working = process.poll() is None
        if working:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return working

    @property
    def release(self) -> str:
        return os.readlink(self.root / "opt/edge-c2vl/current").removeprefix("releases/")

    def works(self) -> bool:
        """Whether what `current` names decides on a drawn driver with the bundle that came with it."""
        current = self.seen(self.root / "opt/edge-c2vl/current")
        camera = f"simulated:story?live=no&fps=10&seconds={self._seconds}"
        command = [current / "bin/edge-c2vl", "run", "--camera", camera, "--bundle", current / "bundle", "--json"]
        done = subprocess.run([*self._alone, *map(str, command)], capture_output=True, text=True, cwd=self.root)
        return done.returncode == 0 and '"decisions"' in done.stdout

    def _installer(self, package: Path, *options: str) -> list[str]:
        installer, root = self.seen(package / "install.sh"), self.seen(self.root)
        return [*self._alone, "bash", str(installer), "--root", str(root), *options]

    def _environment(self) -> dict[str, str]:
        # The system's Python may be of another version than this one.
        path = f"{Path(sys.base_prefix) / 'bin'}:{os.environ['PATH']}"
        return os.environ | {"PATH": path, "EDGE_C2VL_KEEP_PATH": "1", "PIP_NO_CACHE_DIR": "1"}


class Emulated(Vehicle):
    """The machine that tools/aarch64-check has made in the folder that EDGE_C2VL_AARCH64 names."""

    @classmethod
    def here(cls, folder: Path) -> Vehicle:
        machine = os.environ.get("EDGE_C2VL_AARCH64")
        if machine is None:
            pytest.skip("an emulated aarch64 machine: tools/aarch64-check runs this")
        root = Path(machine).resolve() / "root"
        for name in ("vehicle", "packages"):
            shutil.rmtree(root / name, ignore_errors=True)
        (root / "packages").mkdir()
        alone = [str(AARCH64_RUN), str(root.parent)]
        return cls(root / "vehicle", Target("3.11", "aarch64"), alone, timeout_s=3000, seconds=2)

    @property
    def unpacked(self) -> Path:
        return self.root.parent / "packages"

    def seen(self, path: Path) -> Path:
        return Path("/") / path.relative_to(self.root.parent)
