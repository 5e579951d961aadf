"""What a training run minimises: a Task. The loop (trainer.py) knows nothing else of the method.

A method of pretraining is a subclass of Task, and a function make_task(given: Given) -> Task that makes it. One line in
train/settings/pretraining.py names it. Supervised classification, which train/finetune.py does, is a Task too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from train.data.clips import Batch
from train.model.encoder import Encoder
from train.settings.pretraining import ObjectiveSettings, PretrainSettings


@dataclass(frozen=True)
class Given:
    """What a run makes its task of. network: the encoder. augment: varies clips (N, 3, T, 25). knowledge: {kind:
    (windows, K, D)} of the banks, empty for a method without. teacher: the pretrained encoder of --teacher."""

    network: Encoder
    augment: Callable[[Tensor], Tensor]
    knowledge: Mapping[str, Tensor]
    pretraining: PretrainSettings
    objective: ObjectiveSettings
    teacher: Encoder | None = None


class Task(nn.Module):
    """Loss, own parameters (projectors, temperature), own state (queues, an EMA encoder): all in its state_dict, so
    that a checkpoint of the loop resumes it."""

    def loss(self, batch: Batch, encoder: Encoder, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean loss of a batch, and figures to log (detached scalars).

        progress: 0 at the run's first step, 1 at its end; schedules are functions of it. Random numbers come from
        PyTorch's generator, or a resumed run differs.
        """
        raise NotImplementedError

    def after_step(self, encoder: Encoder, progress: float) -> None:
        """Called after each optimiser step: where an EMA teacher follows the encoder."""

    def evaluate(self, encoder: Encoder) -> dict[str, float]:  # noqa: ARG002
        """Figures of the encoder (in eval mode, no gradients) every `evaluate_every` epochs."""
        return {}


class Together(Task):
    """Several tasks of one encoder: name -> (task, its weight in the sum of the losses)."""

    def __init__(self, tasks: Mapping[str, tuple[Task, float]]) -> None:
        super().__init__()
        self.tasks = nn.ModuleDict({name: task for name, (task, _) in tasks.items()})
        self.weights = {name: weight for name, (_, weight) in tasks.items()}

    def loss(self, batch: Batch, encoder: Encoder, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        losses: list[Tensor] = []
        figures: dict[str, Tensor] = {}
        for name, task in self.tasks.items():
            loss, told = cast(Task, task).loss(batch, encoder, progress)
            losses.append(self.weights[name] * loss)
            figures |= {**told, f"{name}/loss": loss.detach()}
        return torch.stack(losses).sum(), figures

    def after_step(self, encoder: Encoder, progress: float) -> None:
        for task in self.tasks.values():
            cast(Task, task).after_step(encoder, progress)
