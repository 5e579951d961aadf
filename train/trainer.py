"""The training loop: Lightning Fabric, exact resume, one folder a run.

    run/
      settings.json        every setting, versions, git commit, how it was started
      metrics.jsonl        a line an epoch
      checkpoint.safetensors   the last checkpoint: everything that going on needs
      model.safetensors    the finished encoder
      language.safetensors     after pretraining on language: the way from words to the encoder's embeddings
      events.out.*         TensorBoard

A run that was killed and resumed ends with the same bits as one that was not (on the CPU): a checkpoint holds encoder,
task, optimiser, moving average, step and random state; learning rate and batch order are functions of seed and step.
"""

from __future__ import annotations

import json
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from edge_c2vl.errors import UsageError
from edge_c2vl.utils.atomic import write_file
from edge_c2vl.utils.progress import track
from train.data.clips import Batch, Loader
from train.environment import describe_environment
from train.fabric import gather, make_fabric
from train.methods.base import Task
from train.model.checkpoint import (
    About,
    CheckpointError,
    load_parts,
    optimiser_state,
    optimiser_tensors,
    read_tensors,
    save_model,
    write_tensors,
)
from train.model.encoder import Encoder
from train.settings.resume import MAY_CHANGE, SETTINGS
from train.settings.training import LoopSettings

CHECKPOINT = "checkpoint.safetensors"
MODEL = "model.safetensors"
# Figures that are printed while a run goes on.
WATCHED = ("rankme", "alignment", "uniformity", "knn")


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop; its checkpoint is written."""


class _Step(nn.Module):
    """Encoder and task as one module: with several processes DistributedDataParallel then sees all parameters."""

    def __init__(self, encoder: Encoder, task: Task) -> None:
        super().__init__()
        self.encoder, self.task = encoder, task

    def forward(self, batch: Batch, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        return self.task.loss(batch, self.encoder, progress)


class Trainer:
    """Trains an encoder by a task. `make_fabric` first where several processes need their shares of the data."""

    def __init__(
        self,
        encoder: Encoder,
        task: Task,
        loader: Loader,
        settings: LoopSettings,
        folder: Path | None = None,
        about: About | None = None,
        fabric: Any = None,
        recorded: dict[str, Any] | None = None,
        watch: Callable[[Encoder, float], dict[str, float]] | None = None,
    ) -> None:
        """folder: the run folder; None writes nothing. recorded: further settings to keep in settings.json. watch:
        further figures of the encoder in eval mode, whenever it is evaluated."""
        self.settings, self.loader, self.folder, self.about = settings, loader, folder, about
        self.recorded, self.watch = recorded or {}, watch
        self.fabric = fabric or make_fabric(settings)
        torch.manual_seed(settings.seed + 1000 * self.fabric.global_rank)
        self.encoder, self.task = encoder, task
        module = cast(Any, _Step(encoder, task)).to(memory_format=torch.channels_last)  # a third faster on a CPU
        self.step = 0  # batches taken, over all epochs
        self.total = settings.epochs * len(loader)
        self.module, self.optimiser = self.fabric.setup(module, make_optimiser(module, settings))
        self.average = None
        if settings.average:
            self.average = AveragedModel(
                encoder, multi_avg_fn=get_ema_multi_avg_fn(settings.average), use_buffers=True
            ).to(self.fabric.device)
        self.metrics: list[dict[str, float]] = []  # of whole epochs
        self._sums: dict[str, float] = {}  # of the epoch under way
        self._stop = False

    @property
    def result(self) -> Encoder:
        """The encoder that the run is for: the moving average of its weights where there is one."""
        return self.encoder if self.average is None else cast(Encoder, self.average.module)

    def run(self, resume: bool = False) -> Encoder:
        """Trains to the end; returns `result` in eval mode. resume=True goes on from the folder's checkpoint, to more
        epochs than it had where the settings say so.

        Raises Interrupted after SIGINT or SIGTERM, once the checkpoint is written; CheckpointError where there is
        nothing to resume or it does not fit; UsageError where the folder holds a run and resume is not given.
        """
        self._open_folder(resume)
        with self._stoppable(), self._tensorboard() as board:
            for epoch in range(self.step // len(self.loader), self.settings.epochs):
                self._epoch(epoch, board)
                last = epoch + 1 == self.settings.epochs
                if last or self._stop or (epoch + 1) % self.settings.checkpoint_every == 0:
                    self.save()
                if self._stop and not last:
                    raise Interrupted
        cast(Any, self.result.eval()).to(memory_format=torch.contiguous_format)  # it rounds as when loaded
        if self.folder and self.about and self.fabric.is_global_zero:
            save_model(self.folder / MODEL, self.result, self.about)
        return self.result

    def _epoch(self, epoch: int, board: Any) -> None:
        first = self.step - epoch * len(self.loader)
        started = time.monotonic()
        self.module.train()
        batches = self.loader.batches(epoch, first)
        if self.fabric.is_global_zero and self.folder:
            batches = track(batches, f"epoch {epoch + 1}/{self.settings.epochs}", len(self.loader) - first)
        for number, batch in enumerate(batches, first + 1):
            for name, value in self._take(batch.to(self.fabric.device)).items():
                self._sums[name] = self._sums.get(name, 0.0) + float(value.detach())
            if self._stop and number < len(self.loader):
                # Between two steps, never inside one: a half-taken optimiser step could not be resumed.
                self.save()
                raise Interrupted
        values = {name: total / len(self.loader) for name, total in self._sums.items()}
        self._sums = {}
        clips = (len(self.loader) - first) * self.loader.batch_size * self.fabric.world_size
        values["clips_per_second"] = clips / (time.monotonic() - started)
        every = self.settings.evaluate_every
        if epoch + 1 == self.settings.epochs or (every and (epoch + 1) % every == 0):
            values |= evaluate(self.task, self.result)
            values |= self.watch(self.result, (epoch + 1) / self.settings.epochs) if self.watch else {}
        values = {"epoch": epoch + 1, "step": self.step, "learning_rate": self._learning_rate()} | values
        self._log(values, board)
        if self.watch is not None and "rankme" in values:
            shown = [f"{name} {values[name]:.3g}" for name in ("loss", *WATCHED) if name in values]
            print(f"epoch {epoch + 1}/{self.settings.epochs}: {', '.join(shown)}", file=sys.stderr, flush=True)

    def _take(self, batch: Batch) -> dict[str, Tensor]:
        """One batch: loss, gradients, and on every `accumulate`-th batch an optimiser step."""
        progress = self.step / self.total
        accumulate = self.settings.accumulate
        stepping = (self.step + 1) % accumulate == 0 or self.step + 1 == self.total
        for group in self.optimiser.param_groups:
            group["lr"] = self._learning_rate()
        with self.fabric.no_backward_sync(self.module, enabled=not stepping):
            loss, figures = self.module(batch, progress)
            if not torch.isfinite(loss):
                raise CheckpointError(
                    f"the loss is {loss.item()} at step {self.step}: lower --learning-rate or set --clip-gradient"
                )
            self.fabric.backward(loss / accumulate)
        if stepping:
            if self.settings.clip_gradient:
                self.fabric.clip_gradients(
                    self.module, self.optimiser, max_norm=self.settings.clip_gradient, error_if_nonfinite=False
                )
            self.optimiser.step()
            self.optimiser.zero_grad()
            self.task.after_step(self.encoder, progress)
            if self.average is not None:
                self.average.update_parameters(self.encoder)
        self.step += 1
        return {"loss": loss} | figures

    def _learning_rate(self) -> float:
        """Linear warm-up, then half a cosine to 0 (Loshchilov & Hutter, SGDR, ICLR 2017, without restarts)."""
        warmup = self.settings.warmup_epochs * len(self.loader)
        if self.step < warmup:
            return self.settings.learning_rate * (self.step + 1) / (warmup + 1)
        share = (self.step - warmup) / max(self.total - warmup, 1)
        return self.settings.learning_rate * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))

    # What is kept

    def save(self) -> None:
        """Writes the checkpoint. With several processes, all of them call it: each adds its random state."""
        random = gather(torch.get_rng_state(), self.fabric.device)
        if not self.folder or not self.fabric.is_global_zero:
            return
        tensors = {f"encoder.{name}": tensor for name, tensor in self.encoder.state_dict().items()}
        tensors |= {f"task.{name}": tensor for name, tensor in self.task.state_dict().items()}
        if self.average is not None:
            tensors |= {f"average.{name}": tensor for name, tensor in self.average.state_dict().items()}
        tensors |= optimiser_tensors(self.optimiser.state_dict())
        for name, parameter in self.module.named_parameters():
            if parameter.grad is not None:  # the sum so far, in the midst of accumulating
                tensors[f"gradient.{name}"] = parameter.grad
        tensors["random.cpu"] = random
        if self.fabric.device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(self.fabric.device)
        about = {
            "kind": "checkpoint",
            "step": self.step,
            "metrics": self.metrics,
            "sums": self._sums,
            "settings": asdict(self.settings),
        }
        write_tensors(self.folder / CHECKPOINT, tensors, about)

    def load(self) -> None:
        """Takes up the folder's checkpoint. Raises CheckpointError."""
        assert self.folder
        tensors, about = read_tensors(self.folder / CHECKPOINT)
        different = [
            f"--{name.replace('_', '-')} was {about['settings'].get(name)}"
            for name, value in asdict(self.settings).items()
            if name not in MAY_CHANGE and about["settings"].get(name) != value
        ]
        if different:
            raise CheckpointError(f"the run in {self.folder} had other settings: {'; '.join(different)}")
        if about["step"] > self.total:
            done = about["step"] // len(self.loader)
            raise CheckpointError(
                f"the run in {self.folder} has {done} epochs already: --epochs may be more, not fewer"
            )
        try:
            self.encoder.load_state_dict(load_parts(tensors, "encoder"))
            self.task.load_state_dict(load_parts(tensors, "task"))
            if self.average is not None:
                self.average.load_state_dict(load_parts(tensors, "average"))
        except RuntimeError as error:
            raise CheckpointError(
                f"the run in {self.folder} has another encoder or task: {' '.join(str(error).split())[:200]}"
            ) from None
        state = self.optimiser.state_dict()
        self.optimiser.load_state_dict(state | {"state": optimiser_state(tensors)})
        gradients = load_parts(tensors, "gradient")
        for name, parameter in self.module.named_parameters():
            if name in gradients:
                parameter.grad = gradients[name].to(parameter.device)
        self.step, self.metrics, self._sums = about["step"], about["metrics"], about["sums"]
        # clone: PyTorch misreads a state that is not aligned in memory, as a row of the file need not be.
        torch.set_rng_state(tensors["random.cpu"][self.fabric.global_rank].clone())
        if "random.cuda" in tensors and self.fabric.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random.cuda"].clone(), self.fabric.device)

    def _open_folder(self, resume: bool) -> None:
        if self.folder is None:
            return
        if resume:
            self.load()
            # Lines of epochs after the checkpoint are written again.
            if self.fabric.is_global_zero:
                _write_lines(self.folder / "metrics.jsonl", self.metrics)
                self._keep_settings()
            return
        if (self.folder / CHECKPOINT).exists() or (self.folder / MODEL).exists():
            raise UsageError(f"{self.folder} holds a run already: go on with --resume, or name another folder")
        if self.fabric.is_global_zero:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._keep_settings()
            _write_lines(self.folder / "metrics.jsonl", [])
        self.fabric.barrier()

    def _keep_settings(self) -> None:
        assert self.folder
        kept = self.recorded | {"loop": asdict(self.settings), "environment": describe_environment()}
        if self.about:
            kept["model"] = self.about.to_json()
        write_file(self.folder / SETTINGS, json.dumps(kept, indent=1) + "\n")

    def _log(self, values: dict[str, float], board: Any) -> None:
        self.metrics.append(values)
        if not self.folder or not self.fabric.is_global_zero:
            return
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")
        if board is not None:
            for name, value in values.items():
                board.add_scalar(name, value, self.step)
            board.flush()

    def _tensorboard(self) -> Any:
        if not (self.settings.tensorboard and self.folder and self.fabric.is_global_zero):
            return nullcontext()
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self.folder), purge_step=self.step)

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        """SIGINT and SIGTERM stop after the step under way; a second SIGINT stops at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, _: Any) -> None:
            if self._stop and number == signal.SIGINT:
                raise KeyboardInterrupt
            self._stop = True

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def make_optimiser(module: nn.Module, settings: LoopSettings) -> torch.optim.Optimizer:
    """AdamW, or SGD with Nesterov momentum 0.9. Biases, norms, temperatures and edge weights are not decayed."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim in (2, 4)], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained if p.ndim not in (2, 4)], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if settings.optimiser == "sgd":
        return torch.optim.SGD(groups, settings.learning_rate, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, settings.learning_rate)


def evaluate(task: Task, encoder: Encoder) -> dict[str, float]:
    """The task's figures of the encoder, in eval mode and without gradients."""
    training = encoder.training
    encoder.eval()
    with torch.no_grad():
        values = task.evaluate(encoder)
    encoder.train(training)
    return values


def _write_lines(path: Path, values: list[dict[str, float]]) -> None:
    write_file(path, "".join(json.dumps(line) + "\n" for line in values))
