"""edge-c2vl eval sktdd"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from train.commands.eval_benchmark import protocol_options
from train.commands.eval_options import data_options, open_archive, report_options, tell, training_settings

if TYPE_CHECKING:
    from train.evaluation.models import Model


@click.command()
@data_options
@protocol_options("sktdd")
@report_options
def sktdd(
    root: Path | None,
    archive: Path | None,
    workers: int | None,
    checkpoints: tuple[str, ...],
    bundle: str | None,
    backend: str,
    precision: str,
    device: str,
    report: Path | None,
    as_json: bool,
    config: Path | None,
    epochs: int | None,
    **asked: Any,
) -> None:
    """Distraction of drivers who are new to the probe or the model: ROC-AUC and balanced accuracy, in folds by driver.

    A model whose training saw labels must not be judged on its own drivers: --protocol classifier takes a model for
    each fold, {fold} in --checkpoint or --bundle standing for 0, 1, 2, ... as in train finetune --split subject:0/6.
    With --report, each window's score stands in scores.csv.

    \b
    Example:
      edge-c2vl eval sktdd --root original_sktDD --checkpoint runs/c2vl --protocol fixed
      edge-c2vl eval sktdd --archive sktdd.archive --checkpoint runs/c2vl --protocol one-class --report report
      edge-c2vl eval sktdd --archive sktdd.archive --checkpoint 'work/fold{fold}' --protocol classifier
    """
    from edge_c2vl.errors import UsageError
    from train.evaluation.asked import Asked
    from train.evaluation.models import open_seeds
    from train.evaluation.sktdd import evaluate

    if len(checkpoints) + (bundle is not None) != 1:
        raise UsageError("name one model: --checkpoint RUN (PyTorch) or --bundle FOLDER (what runs in the vehicle)")
    path = bundle or checkpoints[0]
    if asked["protocol"] == "classifier" and "{fold}" not in path:
        raise UsageError(
            "--protocol classifier needs a model for each fold, because one that was trained on all drivers has seen "
            "those it is judged on: name them with {fold}, as in work/fold{fold}"
        )
    opened: dict[str, list[Model]] = {}

    def open_fold(number: int) -> list[Model]:
        own = path.replace("{fold}", str(number))
        if own not in opened:
            named: tuple[list[str], str | None] = ([], own) if bundle else ([own], None)
            seeds = open_seeds(*named, backend=backend, precision=precision, device=device)
            opened[own] = [streams[0] for streams in seeds]
        return opened[own]

    made = evaluate(
        open_archive("sktdd", root, archive, workers),
        open_fold,
        Asked(training=training_settings(config, epochs), **asked),
    )
    tell(made, report, as_json)
