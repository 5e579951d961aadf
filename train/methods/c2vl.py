"""C2VL as a task of the loop: projectors, EMA student, and the knowledge of each window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from edge_c2vl.errors import EdgeC2VLError
from train.data.clips import Batch
from train.methods.base import Given, Task, Together
from train.methods.c2vl_loss import C2VLObjective
from train.methods.slim import Slim
from train.model.ema import EmaModel
from train.model.encoder import Encoder
from train.settings.pretraining import ObjectiveSettings


class Projected(nn.Module):
    """An encoder with a projector for each modality: (N, 3, T, 25) -> {name: (N, D_m)}.

    A modality without a projector here is the one that the encoder's own embedding lives in.
    """

    def __init__(self, encoder: Encoder, projectors: nn.ModuleDict, names: Iterable[str]) -> None:
        super().__init__()
        self.encoder, self.projectors, self.names = encoder, projectors, tuple(names)

    def forward(self, clip: Tensor) -> dict[str, Tensor]:
        features = self.encoder.features(clip)
        result = {name: projector(features) for name, projector in self.projectors.items()}
        for name in self.names:
            if name not in result:
                assert self.encoder.projection is not None  # for mypy: such an encoder has an embedding
                result[name] = self.encoder.projection(features)
        return result


def make_task(given: Given) -> Task:
    settings, network, augment = given.pretraining, given.network, given.augment
    told = C2VL(network, given.knowledge, augment, given.objective, settings.hidden, settings.ema_momentum)
    if not settings.skeleton_weight:
        return told
    alone = Slim(network, augment, settings)
    return Together({"knowledge": (told, 1.0), "skeletons": (alone, settings.skeleton_weight)})


def make_projector(size_in: int, size_out: int, hidden: int) -> nn.Module:
    """A linear layer, or two with a ReLU between; no BatchNorm, so that a batch of one clip works."""
    if not hidden:
        return nn.Linear(size_in, size_out)
    return nn.Sequential(nn.Linear(size_in, hidden), nn.ReLU(), nn.Linear(hidden, size_out))


class C2VL(Task):
    """Pulls clips towards their knowledge by the objective; neither labels nor pictures are seen.

    knowledge: modality -> (W, K, D_m): K embeddings (captions or frames) for each window of the loader's store, one of
    which is drawn each time the window comes up. The EMA student sees the clip under another augmentation. An encoder
    with an embedding of the size of "language" learns it as that modality's projector, so that after training its
    embeddings can be compared with embeddings of words.
    """

    def __init__(
        self,
        encoder: Encoder,
        knowledge: Mapping[str, Tensor],
        augment: Callable[[Tensor], Tensor],
        settings: ObjectiveSettings,
        hidden: int = 0,
        ema_momentum: float = 0.99,
    ) -> None:
        super().__init__()
        for name, embeddings in knowledge.items():
            if embeddings.ndim != 3 or not embeddings.shape[1]:
                raise EdgeC2VLError(f"knowledge for {name!r} should be (W, K, D), not {tuple(embeddings.shape)}")
        sizes = {name: embeddings.shape[2] for name, embeddings in knowledge.items()}
        self.objective = C2VLObjective(sizes, settings)
        shared = {"language"} if encoder.settings.embedding == sizes.get("language", -1) else set()
        self.projectors = nn.ModuleDict(
            {
                name: make_projector(encoder.feature_size, size, hidden)
                for name, size in sizes.items()
                if name not in shared
            }
        )
        self.teacher = EmaModel(self._projected(encoder), ema_momentum) if settings.needs_teacher else None
        self.augment = augment
        # No buffers: DistributedDataParallel would send them round at every step, and checkpoints would keep them.
        self._knowledge = dict(knowledge)

    def loss(self, batch: Batch, encoder: Encoder, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        valid = batch.clip.abs().amax(dim=(1, 2, 3)) > 0
        projections = self._projected(encoder)(self.augment(batch.clip))
        teacher = None
        if self.teacher is not None:
            # In eval mode: its targets then do not depend on who else is in the batch.
            self.teacher.eval()
            with torch.no_grad():
                teacher = self.teacher(self.augment(batch.clip))
        return self.objective(projections, self._drawn(batch.index), teacher, progress, valid)

    def _drawn(self, index: Tensor) -> dict[str, Tensor]:
        """One of the K embeddings of each window: {name: (N, D_m)}."""
        drawn = {}
        for name, embeddings in self._knowledge.items():
            self._knowledge[name] = embeddings = embeddings.to(index.device)
            count = embeddings.shape[1]
            which = torch.randint(count, index.shape, device=index.device) if count > 1 else torch.zeros_like(index)
            drawn[name] = embeddings[index, which]
        return drawn

    def after_step(self, encoder: Encoder, progress: float) -> None:  # noqa: ARG002
        if self.teacher is not None:
            self.teacher.update(self._projected(encoder))

    def _projected(self, encoder: Encoder) -> Projected:
        return Projected(encoder, self.projectors, self.objective.modalities)
