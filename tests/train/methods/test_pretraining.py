"""C2VL and SkeletonCLR through the loop: they learn, resume bit for bit, and cope with broken batches."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edge_c2vl.errors import EdgeC2VLError  # noqa: E402
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter  # noqa: E402
from edge_c2vl.skeletons.clip import ClipSpec  # noqa: E402
from edge_c2vl.skeletons.windows import whole_clips  # noqa: E402
from train.data.augment import Augment  # noqa: E402
from train.data.clips import Batch, ClipStore, Loader  # noqa: E402
from train.evaluation.judges import knn_predict  # noqa: E402
from train.methods.base import Task, Together  # noqa: E402
from train.methods.c2vl import C2VL  # noqa: E402
from train.methods.skeleton_clr import SkeletonCLR  # noqa: E402
from train.methods.slim import Slim  # noqa: E402
from train.model.encoder import Encoder  # noqa: E402
from train.model.inference import extract  # noqa: E402
from train.settings.pretraining import ObjectiveSettings, PretrainSettings  # noqa: E402
from train.settings.training import AugmentSettings, EncoderSettings, LoopSettings  # noqa: E402
from train.trainer import Interrupted, Trainer  # noqa: E402

SPEC = ClipSpec(frames=16, dimensions=3)
AUGMENT = AugmentSettings(rotate=5, view=10, jitter=0.02, crop=0.8)
CLIPS = 32
SIZE = 6
SLIM = PretrainSettings(method="slim", prototypes=8, ema_momentum=0.9)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Two movements (arms up, arms out), each by bodies that differ; clip 31 has no body at all."""
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("pretraining") / "archive"
    with ArchiveWriter(
        path, labels=["up", "out"], source="made up", licence="none", source_layout="ntu25", dimensions=3
    ) as writer:
        body = random.normal(size=(25, 3))
        for number in range(CLIPS):
            frames = np.ones((20, 25, 4), np.float32)
            frames[..., :3] = body + random.normal(0, 0.05, (1, 25, 3)) + random.normal(0, 0.02, (20, 25, 3))
            frames[:, 5:8, number % 2] += np.linspace(0, 3, 20)[:, None]
            if number == CLIPS - 1:
                frames[:] = 0
            writer.append(f"clip{number}", frames, fps=10, label=number % 2)
    return Archive.open(path)


@pytest.fixture
def store(archive: Archive, tmp_path: Path) -> ClipStore:
    return ClipStore.open(archive, whole_clips(archive), SPEC, tmp_path / "cache")


def knowledge(kinds: int = 2, size: int = SIZE) -> torch.Tensor:
    """(32, 3, D): three captions a clip, which differ between the movements."""
    random = torch.Generator().manual_seed(1)
    concepts = torch.randn(kinds, size, generator=random)
    return concepts[torch.arange(CLIPS) % kinds][:, None] + 0.2 * torch.randn(CLIPS, 3, size, generator=random)


def make(method: str, seed: int = 0, **objective) -> tuple[Encoder, Task]:
    torch.manual_seed(seed)
    encoder = Encoder(EncoderSettings(width=4, blocks=3, embedding=SIZE if method == "shared" else 0))
    augment = Augment(AUGMENT, 3)
    if method == "skeleton-clr":
        return encoder, SkeletonCLR(encoder, augment, size=8, queue=12)
    if method == "slim":
        return encoder, Slim(encoder, augment, SLIM)
    banks = {"language": knowledge(), "vision": knowledge(size=5)}
    settings = ObjectiveSettings(**({"schedule": "constant", "queue": 10} | objective))
    told = C2VL(encoder, banks, augment, settings, hidden=7 if method == "hidden" else 0, ema_momentum=0.9)
    if method == "both":
        return encoder, Together({"knowledge": (told, 1.0), "skeletons": (Slim(encoder, augment, SLIM), 0.5)})
    return encoder, told


def run(encoder: Encoder, task: Task, store: ClipStore, folder: Path | None, epochs: int = 3, **loop) -> Trainer:
    settings = LoopSettings(
        epochs=epochs, batch_size=8, learning_rate=0.01, accelerator="cpu", tensorboard=False, **loop
    )
    return Trainer(encoder, task, Loader(store, np.arange(CLIPS), 8), settings, folder)


@pytest.mark.parametrize("method", ["c2vl", "shared", "hidden", "skeleton-clr", "slim"])
def test_a_few_epochs_lower_the_loss_and_tell_the_movements_apart(method: str, store: ClipStore) -> None:
    encoder, task = make(method, queue=0) if method != "skeleton-clr" else make(method)
    loop = run(encoder, task, store, None, epochs=12 if method == "shared" else 8)
    result = loop.run()
    # SkeletonCLR's queue, and with it the loss, grows at first; slim's targets move with its teacher.
    if method not in ("skeleton-clr", "slim"):
        assert loop.metrics[-1]["loss"] < loop.metrics[0]["loss"] - 0.1
    rows = np.arange(CLIPS - 1)
    features = extract(result, store, rows)
    labels = store.windows.label[rows]
    predicted = knn_predict(features[:15], labels[:15], features[15:])
    assert (predicted == labels[15:]).mean() > 0.9
    if method == "shared":
        embedding = result(torch.from_numpy(store.read(rows)))[1].detach()
        concepts = torch.nn.functional.normalize(knowledge()[:2, 0], dim=1)
        assert ((embedding @ concepts.T).argmax(dim=1).numpy() == labels).mean() > 0.9  # words classify clips


@pytest.mark.parametrize("method", ["c2vl", "shared", "skeleton-clr", "slim", "both"])
def test_a_run_that_was_stopped_ends_with_the_same_bits(method: str, store: ClipStore, tmp_path: Path) -> None:
    encoder, task = make(method)
    whole = run(encoder, task, store, tmp_path / "whole", epochs=2).run()
    encoder, task = make(method)
    steps = iter(range(100))
    after_step = task.after_step

    def stopping(encoder: Encoder, progress: float) -> None:
        after_step(encoder, progress)
        if next(steps) == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    task.after_step = stopping
    with pytest.raises(Interrupted):
        run(encoder, task, store, tmp_path / "stopped", epochs=2).run()
    encoder, task = make(method, seed=9)  # whatever it starts from, the checkpoint counts
    loop = run(encoder, task, store, tmp_path / "stopped", epochs=2)
    resumed = loop.run(resume=True)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def batch(clip: torch.Tensor) -> Batch:
    rows = torch.arange(len(clip))
    return Batch(clip, torch.full_like(rows, -1), rows)


@pytest.mark.parametrize("method", ["c2vl", "skeleton-clr", "slim"])
@pytest.mark.parametrize("case", ["all missing", "one clip", "one missing clip", "duplicates", "some missing"])
def test_odd_batches_give_a_finite_loss_and_gradient(method: str, case: str, store: ClipStore) -> None:
    encoder, task = make(method)
    clips = torch.from_numpy(store.read(np.arange(8)))
    clip = {
        "all missing": torch.zeros_like(clips),
        "one clip": clips[:1],
        "one missing clip": torch.zeros_like(clips[:1]),
        "duplicates": clips[:1].expand(8, -1, -1, -1).clone(),
        "some missing": clips * (torch.arange(8) % 3 > 0)[:, None, None, None],
    }[case]
    encoder.train()
    task.train()
    for _ in range(2):  # the second time the queue is filled
        loss, figures = task.loss(batch(clip), encoder, 0.5)
        loss.backward()
        task.after_step(encoder, 0.5)
    assert torch.isfinite(loss)
    for name, parameter in [*encoder.named_parameters(), *task.named_parameters()]:
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), name
    assert all(torch.isfinite(value) for value in figures.values())
    if case in ("all missing", "one missing clip"):
        assert float(loss.detach()) == 0
        assert all(p.grad is None or p.grad.abs().max() == 0 for p in encoder.parameters())
    if case == "some missing":
        kept = [buffer for name, buffer in task.named_buffers() if name.endswith(("skeletons", "queue"))]
        filled = [int(buffer) for name, buffer in task.named_buffers() if name.endswith("filled")]
        assert filled == [min(2 * 5, len(buffer)) for buffer in kept]  # empty clips never enter a queue


def test_nan_coordinates_of_a_source_never_reach_the_network(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    with ArchiveWriter(
        tmp_path / "archive", labels=["a"], source="", licence="", source_layout="ntu25", dimensions=3
    ) as writer:
        for number in range(8):
            frames = np.ones((20, 25, 4), np.float32)
            frames[..., :3] = random.normal(size=(20, 25, 3))
            frames[3:9, number, 1] = np.nan
            frames[0, :, 0] = np.inf
            writer.append(f"clip{number}", frames, fps=10)
    archive = Archive.open(tmp_path / "archive")
    store = ClipStore.open(archive, whole_clips(archive), SPEC, tmp_path / "cache")
    clips = torch.from_numpy(store.read(np.arange(8)))
    assert torch.isfinite(clips).all()
    for method in ("c2vl", "skeleton-clr"):
        encoder, task = make(method)
        assert torch.isfinite(task.loss(batch(clips), encoder, 0.5)[0])


def test_a_batch_with_nan_is_stopped_by_the_loop(store: ClipStore) -> None:
    encoder, task = make("c2vl")
    task.augment = lambda clip: clip * float("nan")
    with pytest.raises(EdgeC2VLError, match="loss is nan"):
        run(encoder, task, store, None).run()


def test_one_of_the_captions_is_drawn_each_time() -> None:
    _, task = make("c2vl")
    torch.manual_seed(0)
    index = torch.zeros(200, dtype=torch.long)
    drawn = task._drawn(index)["language"]
    counts = [(drawn == caption).all(dim=1).sum().item() for caption in knowledge()[0]]
    assert sum(counts) == 200
    assert min(counts) > 40


def test_knowledge_of_another_shape_is_refused() -> None:
    encoder, _ = make("c2vl")
    with pytest.raises(EdgeC2VLError, match=r"\(W, K, D\)"):
        C2VL(encoder, {"language": torch.zeros(8, 4)}, Augment(AUGMENT, 3), ObjectiveSettings())
