"""Settings of a training run: dataclasses whose every field is also a flag and a key of `--config file.yaml`.

A field made by `setting()` carries its help text and its choices. `settings_options` turns the dataclasses of a command
into click options; `read_settings` joins the file and the flags (a flag wins) and names what is wrong.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from edge_c2vl.errors import UsageError

S = TypeVar("S")


def setting(default: Any, help: str, choices: tuple[str, ...] = ()) -> Any:
    """A dataclass field with a help text and, for a string, the values it may have."""
    return dataclasses.field(default=default, metadata={"help": help, "choices": choices})


def check_choices(settings: Any) -> None:
    """Raises UsageError where a field has a value that is not among its choices."""
    for field in dataclasses.fields(settings):
        choices = field.metadata.get("choices")
        value = getattr(settings, field.name)
        if choices and value not in choices:
            raise UsageError(f"{flag(field.name)} is one of {', '.join(choices)}, not {value!r}")


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


@dataclass(frozen=True)
class LoopSettings:
    """The loop: how long, how fast, on what, and what is kept."""

    epochs: int = setting(30, "Epochs.")
    batch_size: int = setting(64, "Clips a step and a process.")
    accumulate: int = setting(1, "Batches whose gradients are added before a step.")
    optimiser: str = setting("adamw", "Optimiser.", ("adamw", "sgd"))
    learning_rate: float = setting(1e-3, "Highest learning rate.")
    weight_decay: float = setting(0.01, "Weight decay; biases and norms are spared.")
    warmup_epochs: float = setting(1.0, "Epochs over which the learning rate rises; then it falls along a cosine.")
    clip_gradient: float = setting(1.0, "Longest gradient (L2 norm of all); 0: no limit.")
    average: float = setting(0.0, "Decay of the moving average of the weights that is kept as the model; 0: the last.")
    seed: int = setting(0, "Seed of everything that is random.")
    precision: str = setting("32-true", "Number format.", ("32-true", "bf16-mixed", "16-mixed"))
    accelerator: str = setting("auto", "Where it runs.", ("auto", "cpu", "cuda", "mps"))
    devices: int = setting(1, "Processes (GPUs) a machine; torchrun sets it by itself.")
    nodes: int = setting(1, "Machines.")
    threads: int = setting(0, "CPU threads of PyTorch; 0: its own choice.")
    checkpoint_every: int = setting(1, "Epochs between checkpoints.")
    evaluate_every: int = setting(0, "Epochs between evaluations; 0: only at the end.")
    tensorboard: bool = setting(True, "Write TensorBoard event files into the run folder.")

    def __post_init__(self) -> None:
        check_choices(self)
        for name in ("epochs", "batch_size", "accumulate", "devices", "nodes", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise UsageError(f"{flag(name)} is at least 1, not {getattr(self, name)}")
        if not 0 <= self.average < 1:
            raise UsageError(f"--average is a decay in [0, 1), not {self.average}")


def settings_options(*classes: type) -> Callable[[Any], Any]:
    """Decorator: one click option for each field of the dataclasses, and `--config`. An option not given is None."""

    def decorate(command: Any) -> Any:
        for cls in reversed(classes):
            hints = typing.get_type_hints(cls)
            for field in reversed(dataclasses.fields(cls)):
                if not field.metadata:
                    continue
                kind, text = hints[field.name], field.metadata["help"]
                shown = f"{text}  [default: {field.default}]"
                if kind is bool:
                    name = flag(field.name)
                    option = click.option(f"{name}/--no-{name[2:]}", field.name, default=None, help=shown)
                else:
                    choices = field.metadata["choices"]
                    option = click.option(
                        flag(field.name), field.name, type=click.Choice(choices) if choices else kind, help=shown
                    )
                command = option(command)
        return click.option(
            "--config", type=click.Path(dir_okay=False, path_type=Path), help="YAML file: the flags' names and values."
        )(command)

    return decorate


def read_settings(flags: dict[str, Any], config: Path | None, *classes: type[S], **defaults: Any) -> list[Any]:
    """One instance of each dataclass from the flags that were given, then the file, then `defaults`.

    Raises UsageError: the file cannot be read or is no mapping; a key that no dataclass has; a value of another type.
    """
    values = dict(defaults) | (_from_file(config, classes) if config else {})
    values |= {name: value for name, value in flags.items() if value is not None}
    made = []
    for cls in classes:
        names = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        made.append(cls(**{name: value for name, value in values.items() if name in names}))
    return made


def _from_file(path: Path, classes: tuple[type, ...]) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--config {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"--config {path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise UsageError(f"--config {path} must hold `name: value` lines")
    kinds = {
        field.name: typing.get_type_hints(cls)[field.name]
        for cls in classes
        for field in dataclasses.fields(cls)
        if field.metadata
    }
    values = {}
    for key, value in content.items():
        name = str(key).replace("-", "_")
        if name not in kinds:
            raise UsageError(f"--config {path}: there is no setting {key!r}")
        kind = kinds[name]
        try:
            # YAML reads 1e-3 as text, and 1 where 1.0 is meant.
            right = float(value) if kind is float and not isinstance(value, bool) else value
        except (TypeError, ValueError):
            right = value
        if not isinstance(right, kind) or (kind is int and isinstance(right, bool)):
            raise UsageError(f"--config {path}: {key} must be {kind.__name__}, not {value!r}")
        values[name] = right
    return values
