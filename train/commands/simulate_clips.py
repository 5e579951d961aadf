"""edge-c2vl simulate-clips"""

from __future__ import annotations

from pathlib import Path

import click

from train.commands.termination import end_cleanly_on_sigterm


@click.command(name="simulate-clips")
@click.argument("archive", type=click.Path(path_type=Path))
@click.option("--clips", default=60_000, show_default=True, type=click.IntRange(1, 10_000_000), help="How many.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Same seed, same clips.")
@click.option("--overwrite", is_flag=True, help="Replace an archive that exists.")
def simulate_clips(archive: Path, clips: int, seed: int, overwrite: bool) -> None:
    """Write a skeleton ARCHIVE of simulated drivers, each clip of another person, vehicle and camera.

    For training: three seconds of skeletons as a pose estimator would give them, with the activity as label. Nothing is
    drawn, so that tens of thousands take a minute. What is simulated stands in docs/simulated.md.

    \b
    Example:
      edge-c2vl simulate-clips simulated.archive --clips 60000
      edge-c2vl merge both.archive sktdd.archive simulated.archive --group distracted=!attentive
      edge-c2vl train finetune both.archive runs/both --seconds 3 --balance
    """
    from train.simulate.population.archive import write_archive

    end_cleanly_on_sigterm()
    write_archive(archive, clips, seed, overwrite)
    click.echo(f"{archive}: {clips} clips")
