"""--preset of `knowledge encode` and `train pretrain`."""

from __future__ import annotations

import click

from train.settings.presets import PRESETS

preset_option = click.option(
    "--preset",
    type=click.Choice(PRESETS),
    help="What counts where no flag says it: standard: what was best; small: a quarter of the work; paper: one caption "
    "a clip and ST-GCN, as published.  [default: standard; with --config none]",
)
