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

    timeout_s = 200.0
    kills = (0.1, 0.4, 0.7, 0.95)  # shares of the time that an install takes

    def __init__(self, root: Path, target: Target, alone: list[str]) -> None:
        """alone: the command behind which another one has no network."""
        self.root, self.target, self._alone = root, target, alone

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
        return subprocess.run(command, env=self._environment(), capture_output=True, text=True, timeout=self.timeout_s)

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
        camera = "simulated:story?live=no&fps=10&seconds=4"
        done = self._run(current / "bin/edge-c2vl", "run", "--camera", camera, "--bundle", current / "bundle", "--json")
        return done.returncode == 0 and '"decisions"' in done.stdout

    def _run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self._alone, *map(str, command)], capture_output=True, text=True, cwd=self.root)

    def _installer(self, package: Path, *options: str) -> list[str]:
        installer, root = self.seen(package / "install.sh"), self.seen(self.root)
        return [*self._alone, "bash", str(installer), "--root", str(root), *options]

    def _environment(self) -> dict[str, str]:
        # The system's Python may be of another version than this one.
        path = f"{Path(sys.base_prefix) / 'bin'}:{os.environ['PATH']}"
        return os.environ | {"PATH": path, "EDGE_C2VL_KEEP_PATH": "1", "PIP_NO_CACHE_DIR": "1"}


class Emulated(Vehicle):
    """The machine that tools/aarch64-check has made in the folder that EDGE_C2VL_AARCH64 names. An install takes
    minutes there, and a film a quarter of an hour."""

    timeout_s = 3000.0
    kills = (0.3, 0.8)

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
        return cls(root / "vehicle", Target("3.11", "aarch64"), alone)

    @property
    def unpacked(self) -> Path:
        return self.root.parent / "packages"

    def seen(self, path: Path) -> Path:
        return Path("/") / path.relative_to(self.root.parent)

    def works(self) -> bool:
        """Whether what `current` names judges a clip with the bundle that came with it."""
        current = self.seen(self.root / "opt/edge-c2vl/current")
        program = (
            "import sys, numpy as np\nfrom edge_c2vl import Bundle\nbundle = Bundle.open(sys.argv[1])\n"
            "clips = np.zeros((1, 3, bundle.manifest.clip.frames, 25), np.float32)\n"
            "print(np.isfinite(bundle.classify(clips)).all())\n"
        )
        return self._run(current / "bin/python", "-c", program, current / "bundle").stdout == "True\n"
