"""Models and checkpoints as safetensors files: tensors and a line of JSON, nothing that runs when it is read.

A *model* is one file: the encoder's weights, and in the file's metadata its form and what it was trained on. A
*checkpoint* of the loop is the same kind of file with everything that a run needs to go on.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from edge_c2vl.errors import EdgeC2VLError
from edge_c2vl.names import utf8_name
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.utils.atomic import whole_file
from train.model.encoder import Encoder, make_encoder
from train.settings.training import EncoderSettings

FORMAT_VERSION = 1
# Beside the model of an encoder whose embeddings words can be compared with: knowledge/language.py.
LANGUAGE = "language.safetensors"


class CheckpointError(EdgeC2VLError):
    """A model or checkpoint file is missing, damaged, or does not fit."""


@dataclass(frozen=True)
class About:
    """The metadata of a model's weights. labels: the classes, in the order of the logits. trained_on: in words."""

    encoder: EncoderSettings
    clip: ClipSpec
    labels: list[str] = field(default_factory=list)
    trained_on: str = ""
    licences: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"clip": self.clip.to_json()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> About:
        encoder, clip = EncoderSettings(**values["encoder"]), ClipSpec.from_json(values["clip"])
        return cls(**(values | {"encoder": encoder, "clip": clip}))


def write_tensors(path: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """One safetensors file with a JSON text in its metadata; it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # clone: safetensors refuses tensors that share memory.
    own = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    with whole_file(path) as part, utf8_name(part) as name:
        save_file(own, name, {"about": json.dumps({"format_version": FORMAT_VERSION} | about)})


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Raises CheckpointError where the file is missing, damaged, foreign or of a newer format."""
    try:
        with utf8_name(path) as name, safe_open(name, "pt") as file:
            about = json.loads((file.metadata() or {})["about"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist: name a model that edge-c2vl train has written") from None
    except (KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path} was not written by edge-c2vl train ({error})") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged or no safetensors file: {error}") from None
    if about.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(f"{path} has format {about.get('format_version')}, this version reads {FORMAT_VERSION}")
    return tensors, about


def save_model(path: Path, encoder: Encoder, about: About) -> None:
    write_tensors(path, encoder.state_dict(), {"kind": "model"} | about.to_json())


def load_model(path: Path) -> tuple[Encoder, About]:
    """The encoder, in eval mode, and what it is. Raises CheckpointError. A run folder stands for its model file."""
    path = path / "model.safetensors" if path.is_dir() else path
    tensors, values = read_tensors(path)
    if values.pop("kind", None) != "model":
        raise CheckpointError(f"{path} is no model: a finished run has one, model.safetensors")
    values.pop("format_version")
    try:
        about = About.from_json(values)
        encoder = make_encoder(about.encoder)
        encoder.load_state_dict(tensors)
    except (KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{path} does not fit this version: {' '.join(str(error).split())[:200]}") from None
    return encoder.eval(), about


def optimiser_tensors(state: dict[str, Any]) -> dict[str, Tensor]:
    """A torch optimiser's state as flat names: `optimiser.<parameter number>.<name>`."""
    return {
        f"optimiser.{number}.{name}": torch.as_tensor(value)
        for number, values in state["state"].items()
        for name, value in values.items()
        if value is not None
    }


def optimiser_state(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """The other way round."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        kind, _, rest = key.partition(".")
        if kind == "optimiser":
            number, _, name = rest.partition(".")
            state.setdefault(int(number), {})[name] = tensor
    return state


def load_parts(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors under `prefix.`, without it."""
    return {name[len(prefix) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(prefix + ".")}


def load_backbone(network: Encoder, pretrained: Encoder) -> None:
    """Copies every weight but the classifier's, which belongs to other classes."""
    kept = {name: t for name, t in pretrained.state_dict().items() if not name.startswith("classifier.")}
    missing = network.load_state_dict(kept, strict=False).missing_keys
    assert all(name.startswith("classifier.") for name in missing), missing


def run_folder(model: Path) -> Path:
    """The folder of the run that a model is of: the folder itself, or the one that its file lies in."""
    return model if model.is_dir() else model.parent


def copy_language(pretrained: Path, folder: Path) -> None:
    """The language beside a pretrained model, where there is one, into another run's folder."""
    kept = run_folder(pretrained) / LANGUAGE
    if kept.is_file():
        shutil.copyfile(kept, folder / LANGUAGE)


def members(path: Path) -> list[Path]:
    """The models that a path stands for: itself, or those of its folders seed0, seed1, ..."""
    if path.is_dir() and not (path / "model.safetensors").exists():
        seeds = sorted(path.glob("seed*"), key=lambda folder: (len(folder.name), folder.name))
        finished = [folder for folder in seeds if (folder / "model.safetensors").exists()]
        if not finished or len(finished) < len(seeds):
            raise CheckpointError(f"{path} holds no finished run" + (" for each seed" if finished else ""))
        return finished
    return [path]
