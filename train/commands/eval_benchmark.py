"""edge-c2vl eval ntu60|ntu120|pku-mmd|nw-ucla|utd-mhad"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from edge_c2vl.settings.flags import Number
from train.commands.device_option import device_option
from train.commands.eval_options import data_options, report_options, tell, training_settings
from train.settings.protocols import BENCHMARKS, DATA_SETS

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--config", type=click.Path(path_type=Path), help="finetune, semi: YAML of train finetune's flags."),
    click.option("--epochs", type=click.IntRange(1), help="finetune, semi: epochs."),
    click.option("--work", type=click.Path(path_type=Path), help="finetune, semi: folder of the training runs."),
    click.option(
        "--share",
        default=0.1,
        show_default=True,
        type=Number(0, 1, min_open=True),
        help="semi: share of the labels; 0.01, 0.1.",
    ),
    click.option("-k", default=1, show_default=True, type=click.IntRange(1), help="knn: neighbours."),
    device_option,
    click.option("--precision", type=click.Choice(["auto", "fp32", "fp16", "int8"]), default="auto"),
    click.option("--backend", default="auto", show_default=True, help="The bundle's inference engine."),
    click.option("--bundle", metavar="FOLDER", help="What runs in the vehicle; its embeddings are the features."),
    click.option(
        "--checkpoint",
        "checkpoints",
        multiple=True,
        metavar="RUN",
        help="A trained model, or a folder of seed0, seed1, ...; several are the streams of a fusion.",
    ),
)


def protocol_options(dataset: str) -> Callable[[F], F]:
    """--checkpoint, --bundle, --protocol and what the data set's protocols take."""

    def decorate(function: F) -> F:
        protocols = DATA_SETS[dataset].protocols
        function = click.option(
            "--protocol",
            type=click.Choice(protocols),
            default="fixed",
            show_default=True,
            help="fixed: a linear probe with C = 1; linear: C chosen on held-out subjects.",
        )(function)
        for option in _OPTIONS:
            function = option(function)
        return function

    return decorate


def words_options(function: Any) -> Any:
    """--labels-in-words, --among."""
    for option in (
        click.option(
            "--among",
            multiple=True,
            metavar="CLASS",
            help="labels in words: judge this class's clips, among the classes so named alone; repeatable.",
        ),
        click.option(
            "--labels-in-words",
            is_flag=False,
            flag_value="",
            metavar="[FILE.yaml]",
            help="Zero-shot: no label is used; the nearest class by its description in FILE, or by its name.",
        ),
    ):
        function = option(function)
    return function


def _command(dataset: str) -> click.Command:
    splits = DATA_SETS[dataset].splits

    @click.command(name=dataset, help=_HELP.format(dataset=dataset, split=splits[0]))
    @data_options
    @click.option("--split", type=click.Choice(splits), default=splits[0], show_default=True)
    @words_options
    @protocol_options(dataset)
    @report_options
    def run(**arguments: Any) -> None:
        _run(dataset, **arguments)

    if dataset == "pku-mmd":
        part = click.option("--part", type=click.Choice(["1", "2"]), required=True, help="Part I or II of PKU-MMD.")
        run = part(run)
    return run


_HELP = """The {dataset} benchmark on its official split, by one of the protocols of the literature.

C2VL's own figures and others stand beside. Two people in a recording are one sample: the mean of both counts.

\b
Example:
  edge-c2vl eval {dataset} --root FOLDER --split {split} --checkpoint runs/c2vl --protocol linear --report report
  edge-c2vl eval {dataset} --archive ARCHIVE --checkpoint runs/c2vl --protocol semi --share 0.01 --work runs/semi
  edge-c2vl eval {dataset} --archive ARCHIVE --checkpoint runs/c2vl --labels-in-words labels.yaml
"""


def _run(
    dataset: str,
    root: Path | None,
    archive: Path | None,
    workers: int | None,
    split: str,
    checkpoints: tuple[str, ...],
    bundle: str | None,
    backend: str,
    precision: str,
    device: str,
    report: Path | None,
    as_json: bool,
    config: Path | None,
    epochs: int | None,
    labels_in_words: str | None,
    part: str | None = None,
    **asked: Any,
) -> None:
    import numpy as np

    from train.commands.eval_options import open_archive
    from train.evaluation.asked import Asked
    from train.evaluation.benchmark import evaluate
    from train.evaluation.models import open_seeds

    training = training_settings(config, epochs)
    if labels_in_words is not None:
        from train.evaluation.asked import IN_WORDS
        from train.knowledge.phrases import parse_labels

        described = parse_labels([], Path(labels_in_words)) if labels_in_words else None
        asked |= {"protocol": IN_WORDS, "words": described}
    elif asked["among"]:
        raise click.UsageError("--among chooses classes for --labels-in-words")
    data = open_archive(dataset, root, archive, workers)
    if part is not None:
        # The parts of PKU-MMD are two data sets: a split of one leaves the other's clips out.
        whole, split = split, f"{split}_part{part}"
        data.clips[split] = np.where(data.clips["part"].astype(str) == part, data.clips[whole], "")
    seeds = open_seeds(checkpoints, bundle, backend=backend, precision=precision, device=device)
    tell(evaluate(data, dataset, split, seeds, Asked(training=training, **asked)), report, as_json)


ntu60, ntu120, pku_mmd, nw_ucla, utd_mhad = (_command(name) for name in BENCHMARKS)
