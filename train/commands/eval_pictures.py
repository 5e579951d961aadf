"""edge-c2vl eval statefarm|auc"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from train.commands.eval_benchmark import protocol_options
from train.commands.eval_options import data_options, half_option, open_archive, report_options, tell, training_settings

_HELP = """Ten activities in pictures of drivers who are new to what judges them: top-1 and balanced accuracy.

fixed, linear, knn, finetune, semi: folds by driver; each driver is judged by what learnt from the other folds.
zero-shot: the model's own classes and its distraction, as eval activities tells them. words: each class by its
description. Both look at --half of the drivers. Nothing that learnt from these pictures may be shipped.

\b
Example:
  edge-c2vl eval {dataset} --root tables --bundle default --protocol zero-shot
  edge-c2vl eval {dataset} --archive {dataset}.archive --checkpoint runs/c2vl --protocol linear
  edge-c2vl eval {dataset} --archive {dataset}.archive --checkpoint runs/c2vl --protocol semi --share 0.01 --work work
  edge-c2vl eval {dataset} --archive {dataset}.archive --checkpoint runs/c2vl --protocol words --describe labels.yaml
"""


def _command(dataset: str) -> click.Command:
    @click.command(name=dataset, help=_HELP.format(dataset=dataset))
    @data_options
    @protocol_options(dataset)
    @click.option("--folds", default=5, show_default=True, type=click.IntRange(2), help="How many folds of drivers.")
    @half_option("odd")
    @click.option(
        "--describe",
        type=click.Path(path_type=Path),
        metavar="FILE.yaml",
        help="words: label -> descriptions.  [default: the labels' own names]",
    )
    @report_options
    def run(**arguments: Any) -> None:
        _run(dataset, **arguments)

    return run


def _run(
    dataset: str,
    root: Path | None,
    archive: Path | None,
    workers: int | None,
    checkpoints: tuple[str, ...],
    bundle: str | None,
    backend: str,
    precision: str,
    device: str,
    folds: int,
    half: str,
    describe: Path | None,
    report: Path | None,
    as_json: bool,
    config: Path | None,
    epochs: int | None,
    **asked: Any,
) -> None:
    from edge_c2vl.errors import UsageError
    from train.evaluation.asked import Asked
    from train.evaluation.models import open_seeds
    from train.evaluation.pictures import evaluate
    from train.knowledge.phrases import parse_labels
    from train.settings.protocols import WITHOUT_LABELS

    if len(checkpoints) > 1:
        raise UsageError("name one --checkpoint; a folder of seed0, seed1, ... stands for as many models")
    if describe is not None and asked["protocol"] != "words":
        raise UsageError("--describe goes with --protocol words")
    idle = "folds" if asked["protocol"] in WITHOUT_LABELS else "half"
    if click.get_current_context().get_parameter_source(idle) is ParameterSource.COMMANDLINE:
        raise UsageError(f"--{idle} does nothing with --protocol {asked['protocol']}: leave it out")
    words = parse_labels([], describe) if describe is not None else None
    training = training_settings(config, epochs)
    seeds = open_seeds(checkpoints, bundle, backend=backend, precision=precision, device=device)
    data = open_archive(dataset, root, archive, workers)
    models = [streams[0] for streams in seeds]
    tell(evaluate(data, dataset, models, Asked(training=training, words=words, **asked), folds, half), report, as_json)


statefarm, auc = (_command(name) for name in ("statefarm", "auc"))
