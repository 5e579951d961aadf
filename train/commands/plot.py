"""`edge-c2vl plot`: pictures of runs, embeddings and latencies."""

from __future__ import annotations

from pathlib import Path

import click

_PATH = click.Path(path_type=Path)


@click.group()
def plot() -> None:
    """Draw training curves, embeddings or latencies into PICTURE (.png, .pdf or .svg), readable in print.

    Confusion matrices come with `edge-c2vl eval ... --report`, sensitivity bars with `edge-c2vl quantize ... --report`,
    film strips with `edge-c2vl show`.
    """


@plot.command()
@click.argument("runs", type=_PATH, nargs=-1, required=True)
@click.argument("picture", type=_PATH)
def curves(runs: tuple[Path, ...], picture: Path) -> None:
    """Draw what the training RUNS wrote into their metrics.jsonl: a panel for each figure, a line for each run.

    \b
    edge-c2vl plot curves runs/c2vl curves.pdf
    edge-c2vl plot curves runs/c2vl/seed0 runs/c2vl/seed1 curves.png
    """
    from edge_c2vl import plots
    from edge_c2vl.names import printable
    from train.curves import read_metrics

    plots.save(plots.curves({printable(str(run)): read_metrics(run) for run in runs}), picture)


@plot.command()
@click.argument("archive", type=_PATH)
@click.argument("picture", type=_PATH)
@click.option("--checkpoint", metavar="RUN", help="A trained model: its run's folder, or model.safetensors.")
@click.option("--bundle", metavar="FOLDER", help="What runs in the vehicle, such as default.")
@click.option("--by", default="label", show_default=True, metavar="COLUMN", help="What marks tell: label, subject, ...")
@click.option("--clips", default=1000, show_default=True, type=click.IntRange(5), help="At most so many, by lot.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
def embeddings(
    archive: Path, picture: Path, checkpoint: str | None, bundle: str | None, by: str, clips: int, seed: int
) -> None:
    """Draw where a model puts the clips of ARCHIVE: t-SNE of its embeddings, by cosine.

    \b
    edge-c2vl plot embeddings nw-ucla map.pdf --checkpoint runs/c2vl/seed0
    edge-c2vl plot embeddings sktdd.archive map.png --bundle default --by subject
    """
    from edge_c2vl import plots
    from edge_c2vl.archive import Archive
    from edge_c2vl.names import printable
    from train.embedding_map import embedding_map
    from train.evaluation.models import open_model

    with open_model(checkpoint, bundle) as model:
        places, groups = embedding_map(Archive.open(archive), model, by, clips, seed)
        title = f"{archive.name} by {by}: {len(groups)} clips, t-SNE of {checkpoint or f'bundle {bundle}'}"
    plots.save(plots.embeddings(places, groups, printable(title)), picture)


@plot.command()
@click.argument("measured", type=_PATH, nargs=-1, required=True)
@click.argument("picture", type=_PATH)
def latency(measured: tuple[Path, ...], picture: Path) -> None:
    """Draw what each stage takes, from the --json of `edge-c2vl bench` or `run`: a bar for each file.

    \b
    edge-c2vl bench --camera drive.mp4 --json > bench.json
    edge-c2vl plot latency bench.json latency.pdf
    """
    from edge_c2vl import plots
    from edge_c2vl.names import printable
    from train.curves import read_stages

    plots.save(plots.latency({printable(path.stem): read_stages(path) for path in measured}), picture)
