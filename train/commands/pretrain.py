"""edge-c2vl train pretrain ARCHIVE RUN"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edge_c2vl.errors import UsageError
from edge_c2vl.settings.config_file import read_settings
from edge_c2vl.settings.fields import check_needs
from edge_c2vl.settings.flags import settings_options
from train.commands.presets import preset_option
from train.commands.seeds import resume_option, run_seeds, seeds_option, speaks
from train.settings.presets import defaults
from train.settings.pretraining import METHODS, ObjectiveSettings, PretrainSettings
from train.settings.resume import VERDICT, check_unchanged, recorded
from train.settings.training import AugmentSettings, EncoderSettings, LoopSettings

SETTINGS = (EncoderSettings, AugmentSettings, PretrainSettings, ObjectiveSettings, LoopSettings)
_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("archives", nargs=-1, required=True, type=_PATH, metavar="ARCHIVE...")
@click.argument("run", type=_PATH)
@click.option(
    "--bank",
    "banks",
    multiple=True,
    type=_PATH,
    help="A knowledge bank; one of each kind at most, or one of each archive.",
)
@seeds_option
@resume_option
@preset_option
@click.option("--json", "as_json", is_flag=True, help="Print the last epoch's figures as JSON.")
@settings_options(*SETTINGS)
def pretrain(
    archives: tuple[Path, ...],
    run: Path,
    banks: tuple[Path, ...],
    seeds: int | None,
    resume: bool,
    preset: str | None,
    as_json: bool,
    config: Path | None,
    **flags: Any,
) -> None:
    """Train an encoder without labels, by C2VL or a baseline.

    ARCHIVE is a skeleton archive, or several that are drawn from equally often (--split names a split for each, with
    commas; --bank is given once for each, in their order). The folder RUN gets the model, its settings, versions and
    metrics. C2VL pulls each clip towards what its knowledge bank says of it, at first towards that alone, later also
    towards what is like it (--softening; 0 is plain cross-modal InfoNCE).

    What is not said follows from --preset and the archive. While it runs it prints RankMe, alignment and uniformity of
    the embedding, and the share of held-out clips whose nearest neighbour has their label; at the end the same
    beside the encoder as it was before.

    \b
    Example:
      edge-c2vl prepare nw-ucla all_sqe nw-ucla.archive
      edge-c2vl knowledge encode nw-ucla.archive nw-ucla.bank
      edge-c2vl train pretrain nw-ucla.archive runs/c2vl --bank nw-ucla.bank --split xview
      edge-c2vl train probe nw-ucla.archive runs/c2vl --split xview
      edge-c2vl train pretrain sktdd.archive simulated.archive nw-ucla.archive runs/all --method slim --split ,,xview
    """
    before = recorded(run) if resume else {}
    settings = read_settings(flags, config, *SETTINGS, **before)
    check_unchanged(run, before, *settings)
    banks = banks or tuple(map(Path, before.get("banks", ())))

    from edge_c2vl.skeletons.archive import Archive
    from train.evaluation.watch import Watch
    from train.knowledge.bank import Bank
    from train.knowledge.learnt import material
    from train.pretrain import pretrain as train

    opened, *beside = [Archive.open(archive) for archive in archives]
    known = [Bank.open(bank) for bank in banks]
    preset = preset or (None if config else "standard")
    if preset and not resume:
        form, chosen = settings[0], settings[SETTINGS.index(PretrainSettings)]
        seen = material([opened, *beside], known, chosen)
        values = defaults(preset, chosen.method, seen, form.network)
        settings = read_settings(flags, config, *SETTINGS, **values)
    check_needs(*settings, given=flags)
    encoder, augment, pretraining, objective, loop = settings
    if flags["embedding"] and METHODS[pretraining.method].knowledge and not pretraining.hidden:
        raise UsageError("--embedding does nothing without --hidden: the embedding has the knowledge's size then")
    if flags["embedding"] and METHODS[pretraining.method].teacher:
        raise UsageError("--embedding does nothing with --teacher: the embedding has the teacher's size")
    if METHODS[pretraining.method].views and augment == AugmentSettings():
        click.echo(
            f"warning: --method {pretraining.method} compares two variations of a clip, and nothing varies them here: "
            "each clip is compared with itself. Give --crop 0.4, --view 30 or another variation",
            err=True,
        )

    def one(folder: Path, seeded: LoopSettings, again: bool) -> dict[str, float]:
        return train(
            opened, folder, known, encoder, augment, pretraining, objective, seeded,
            beside=beside, watch=Watch.of, resume=again,
        )  # fmt: skip

    figures = run_seeds(run, seeds, loop, resume, one)
    if not speaks():
        return
    if as_json:
        click.echo(json.dumps(figures))
        return
    for name_of_run, values in figures.items():
        _say(Path(name_of_run), values)


def _say(folder: Path, values: dict[str, float]) -> None:
    """The last epoch's figures, and the verdict."""
    if not values:
        click.echo(f"{folder}: as initialised")
        return
    apart = ("clips_per_second", "knn", "rankme", "probe")
    shown = [f"{name} {value:.4g}" for name, value in values.items() if not name.startswith(apart)]
    click.echo(f"{folder}: {', '.join(shown)}")
    click.echo(f"effective rank of the embedding {values['rankme']:.1f} (random encoder {values['rankme_random']:.1f})")
    if "probe" not in values:
        click.echo("no verdict: there are no labels of two classes to judge it by")
        return
    told = json.loads((folder / VERDICT).read_text("utf-8"))["held_out"]
    names = {"probe": "linear probe", "knn": "nearest neighbour"}
    for name, text in names.items():
        untrained = values[f"{name}_random"]
        click.echo(f"{text} on {told}, held out: {values[name]:.1%} (the same encoder untrained: {untrained:.1%})")
    if below := [text for name, text in names.items() if values[name] < values[f"{name}_random"]]:
        click.echo(
            f"warning: by {' and '.join(below)} this encoder is below an untrained one: do not use it. See "
            f"edge-c2vl train compare {folder}",
            err=True,
        )
