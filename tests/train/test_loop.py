"""The loop: exact resume, stopping, what it refuses, learning on a small archive."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.windows import sliding
from tests.support.training import body
from train.data.augment import Augment
from train.data.clips import ClipStore, Loader, in_order
from train.data.targets import Targets
from train.methods.supervised import Supervised
from train.model.checkpoint import About, CheckpointError, load_model, read_tensors
from train.model.encoder import Encoder
from train.settings.training import AugmentSettings, EncoderSettings, LoopSettings
from train.trainer import CHECKPOINT, MODEL, Interrupted, Trainer

LABELS = ["attentive", "distracted"]
SPEC = ClipSpec(frames=16, seconds=1.0, dimensions=2)
ENCODER = EncoderSettings(width=4, blocks=3, classes=2, dropout=0.1)
SETTINGS = LoopSettings(epochs=3, batch_size=8, average=0.9, warmup_epochs=0.5, accelerator="cpu", tensorboard=False)
AUGMENT = AugmentSettings(shear=0.1, crop=0.7, rotate=10, mirror=0.5, jitter=0.01, mask_joints=0.1, mask_span=0.2)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("loop") / "archive"
    with ArchiveWriter(
        path, labels=["attentive", "distracted"], source="made up", licence="none", source_layout="ntu25", dimensions=2
    ) as writer:
        for index in range(24):
            frames = body(random, 40, raised=index % 2 == 1)
            writer.append(f"clip{index}", frames, 10.0, label=index % 2, subject=str(index // 4))
    return Archive.open(path)


@pytest.fixture
def store(archive: Archive, tmp_path: Path) -> ClipStore:
    return ClipStore.open(archive, sliding(archive, seconds=SPEC.seconds, hop_s=1.0), SPEC, tmp_path / "cache")


def make_loop(store: ClipStore, folder: Path | None, settings: LoopSettings = SETTINGS, stop_after: int = 0) -> Trainer:
    torch.manual_seed(0)
    encoder = Encoder(ENCODER)

    class Stopping(Supervised):
        """Asks the process to stop in the middle of an epoch, as a user does."""

        def after_step(self, encoder: Encoder, progress: float) -> None:
            super().after_step(encoder, progress)
            self.taken = getattr(self, "taken", 0) + 1
            if self.taken == stop_after:
                os.kill(os.getpid(), signal.SIGTERM)

    task = Stopping(Augment(AUGMENT, 2), Targets.make(LABELS), smoothing=0.1)
    loader = Loader(store, np.arange(len(store)), settings.batch_size, settings.seed)
    return Trainer(encoder, task, loader, settings, folder, About(ENCODER, SPEC, LABELS))


@pytest.mark.parametrize("accumulate", [1, 2])
def test_killed_and_resumed_equals_not_killed_bit_for_bit(store: ClipStore, tmp_path: Path, accumulate: int) -> None:
    settings = dataclasses.replace(SETTINGS, accumulate=accumulate)
    whole = make_loop(store, tmp_path / "whole", settings).run()
    stopped = make_loop(store, tmp_path / "stopped", settings, stop_after=13)
    with pytest.raises(Interrupted):
        stopped.run()
    assert 0 < stopped.step < stopped.total
    assert not (tmp_path / "stopped" / MODEL).exists()
    torch.manual_seed(99)  # whatever the new process happens to start with
    resumed = make_loop(store, tmp_path / "stopped", settings).run(resume=True)
    for (name, a), b in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    lines = [
        [json.loads(line) for line in (tmp_path / run / "metrics.jsonl").read_text().splitlines()]
        for run in ("whole", "stopped")
    ]
    assert [line["epoch"] for line in lines[0]] == [line["epoch"] for line in lines[1]] == [1, 2, 3]
    assert lines[0][-1]["loss"] == lines[1][-1]["loss"]


def test_learns_what_a_raised_hand_means(store: ClipStore) -> None:
    settings = dataclasses.replace(SETTINGS, epochs=12, learning_rate=5e-3)
    encoder = make_loop(store, None, settings).run()
    with torch.no_grad():
        right = [(encoder(b.clip)[0].argmax(1) == b.label) for b in in_order(store, np.arange(len(store)))]
    assert torch.cat(right).float().mean() > 0.9


def test_model_file_gives_the_same_encoder_back(store: ClipStore, tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, epochs=1)
    encoder = make_loop(store, tmp_path / "run", settings).run()
    loaded, about = load_model(tmp_path / "run")
    clip = torch.from_numpy(store.read(np.arange(4)))
    assert about == About(ENCODER, SPEC, LABELS)
    for a, b in zip(encoder(clip), loaded(clip), strict=True):
        assert torch.equal(a, b)
    kept = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert kept["loop"]["batch_size"] == 8
    assert kept["environment"]["versions"]["torch"]


def test_refuses_a_folder_with_a_run_and_other_settings(store: ClipStore, tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, epochs=1)
    make_loop(store, tmp_path / "run", settings).run()
    with pytest.raises(UsageError, match="--resume"):
        make_loop(store, tmp_path / "run", settings).run()
    with pytest.raises(CheckpointError, match=r"--learning-rate was 0\.001"):
        make_loop(store, tmp_path / "run", dataclasses.replace(settings, learning_rate=0.1)).run(resume=True)


def test_damaged_and_foreign_files_are_one_clear_line(store: ClipStore, tmp_path: Path) -> None:
    make_loop(store, tmp_path / "run", dataclasses.replace(SETTINGS, epochs=1)).run()
    with pytest.raises(CheckpointError, match="is no model"):
        load_model(tmp_path / "run" / CHECKPOINT)
    content = (tmp_path / "run" / MODEL).read_bytes()
    (tmp_path / "short.safetensors").write_bytes(content[:-100])
    (tmp_path / "text.safetensors").write_text("no tensors here")
    for name in ("short", "text"):
        with pytest.raises(CheckpointError, match="damaged"):
            read_tensors(tmp_path / f"{name}.safetensors")
    with pytest.raises(CheckpointError, match="does not exist"):
        load_model(tmp_path / "nothing.safetensors")


def test_a_loss_that_is_no_number_stops_the_run(store: ClipStore) -> None:
    loop = make_loop(store, None)
    with torch.no_grad():
        loop.encoder.classifier.weight.fill_(float("nan"))
    with pytest.raises(CheckpointError, match="--learning-rate"):
        loop.run()
