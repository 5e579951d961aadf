"""`edge-c2vl train finetune` and `edge-c2vl export`, as a user calls them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.skeletons.archive import ArchiveWriter
from tests.support.commands import call
from tests.support.training import body
from train.fabric import make_fabric
from train.settings.training import LoopSettings

SMALL = (
    "--epochs", "15", "--batch-size", "8", "--width", "8", "--blocks", "3", "--frames", "16",
    "--learning-rate", "5e-3", "--accelerator", "cpu",
)  # fmt: skip


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("commands") / "archive"
    with ArchiveWriter(
        path, labels=["attentive", "distracted"], source="made up", licence="CC0", source_layout="ntu25", dimensions=2
    ) as writer:
        for index in range(48):
            frames = body(random, 30, raised=index % 2 == 1)
            writer.append(f"{index}", frames, 10.0, label=index % 2, xsub="train" if index < 32 else "test")
    return path


def test_train_resume_continue_from_and_export(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_C2VL_CACHE", str(tmp_path / "cache"))
    result = call("train", "finetune", archive, tmp_path / "run", "--split", "xsub", "--json", *SMALL)
    figures = json.loads(result.stdout.splitlines()[-1])
    assert figures["test_top1"] > 0.85
    assert list(tmp_path.glob("run/events.out.*"))
    again = call("train", "finetune", archive, tmp_path / "run", "--split", "xsub", "--resume", "--json", *SMALL)
    assert json.loads(again.stdout.splitlines()[-1])["test_top1"] == figures["test_top1"]
    few = call(
        "train", "finetune", archive, tmp_path / "few", "--from", tmp_path / "run", "--split", "xsub", "--share", "0.5",
        "--epochs", "1", "--batch-size", "8", "--accelerator", "cpu",
    )  # fmt: skip
    assert "test_balanced" in few.stdout

    exported = call("export", tmp_path / "run", tmp_path / "bundle", "--archive", archive, "--clips", "20", "--json")
    values = json.loads(exported.stdout)
    assert values["clips"] == 20
    assert values["parity"] <= 1e-4
    manifest = Bundle.open(tmp_path / "bundle").manifest
    assert manifest.labels == ["attentive", "distracted"]
    assert manifest.distraction == ["distracted"]
    # Joints that the archive never had are masked in the vehicle, too.
    assert "left_wrist" in manifest.clip.joints
    assert "left_hand_tip" not in manifest.clip.joints


@pytest.mark.parametrize(("arguments", "message"), [
    (("--split", "xview"), "has xsub"),
    (("--share", "0.01"), "do not fill one batch"),
    (("--share", "0.5", "--shots", "2"), "--shots"),
    (("--shots", "2"), "4 clips do not fill one batch"),
    (("--batch-size", "1000"), "--batch-size"),
    (("--from", "nowhere"), "does not exist"),
])  # fmt: skip
def test_wrong_use_is_one_clear_line(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.setenv("EDGE_C2VL_CACHE", str(tmp_path / "cache"))
    with pytest.raises(EdgeC2VLError, match=message):
        call("train", "finetune", archive, tmp_path / "run", *SMALL, *arguments)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_two_processes_train_one_model(archive: Path, tmp_path: Path) -> None:
    """torchrun on the CPU: both processes take part, and stopping, writing and resuming work as with one."""
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        str(Path(__file__).resolve().parents[2] / "cli.py"), "train", "finetune", str(archive), str(tmp_path / "run"),
        "--split", "xsub", *SMALL, "--epochs", "8", "--embedding", "8", "--json",
    ]  # fmt: skip
    environment = os.environ | {"EDGE_C2VL_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    for arguments in (command, [*command, "--resume"]):
        done = subprocess.run(arguments, capture_output=True, text=True, env=environment, timeout=200)
        assert done.returncode == 0, done.stderr[:3000]
    metrics = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in metrics] == list(range(1, 9))
    assert metrics[-1]["step"] == 8 * (32 // 16)  # 32 clips an epoch, 8 a step from each of two processes


@pytest.mark.parametrize("device", ["nonsense", "cuda:99"])
def test_a_device_that_is_not_there_is_wrong_usage(device: str, tmp_path: Path) -> None:
    for command in (("train", "probe", tmp_path, tmp_path), ("eval", "activities", tmp_path, "--checkpoint", tmp_path)):
        with pytest.raises(UsageError, match=f"--device {device}: PyTorch cannot compute there"):
            call(*command, "--device", device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_an_accelerator_that_is_not_there_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="--accelerator cuda, --devices 1: .*not available"):
        make_fabric(LoopSettings(accelerator="cuda"))
