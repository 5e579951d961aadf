"""The training of the protocols that train: a run with labels, made once and kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.splits import Rows
from train.evaluation.asked import Asked
from train.evaluation.models import CheckpointModel, Model


def trained(
    archive: Archive,
    model: Model,
    asked: Asked,
    run: str,
    rows: Mapping[str, Rows] | None = None,
    **changed: Any,
) -> CheckpointModel:
    """The model trained on with labels; taken from its run where that is finished, gone on with where it is not.

    run: the name of the run's folder in asked.work, before the model's own. rows, changed: what is trained and tested
    on, and settings of the data that differ from asked.training. Raises UsageError where there is no checkpoint or no
    folder to train in.
    """
    from train.finetune import finetune
    from train.settings.training import EncoderSettings
    from train.trainer import CHECKPOINT, MODEL

    if not isinstance(model, CheckpointModel) or asked.work is None:
        raise UsageError(f"--protocol {asked.protocol} trains: it needs --checkpoint, and --work FOLDER for its runs")
    folder: Path = asked.work / f"{run}-{model.path.name or 'model'}"
    if not (folder / MODEL).is_file():
        augment, data, loop = asked.training
        finetune(
            archive,
            folder,
            EncoderSettings(),
            augment,
            replace(data, **changed),
            loop,
            rows=rows,
            pretrained=model.path,
            resume=(folder / CHECKPOINT).is_file(),
        )
    return CheckpointModel(folder)
