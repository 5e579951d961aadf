"""edge-c2vl export CHECKPOINT BUNDLE"""

from __future__ import annotations

import json
from pathlib import Path

import click

from edge_c2vl.settings.flags import Number


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--archive",
    type=click.Path(path_type=Path),
    required=True,
    help="Skeleton archive whose clips the ONNX model is compared with PyTorch on.",
)
@click.option(
    "--activities",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="A second trained model, of the same labels and clips: it says which distraction it is, CHECKPOINT whether it "
    "is one.",
)
@click.option(
    "--activities-share",
    type=Number(0, 1),
    default=0.0,
    show_default=True,
    help="How much the second model counts in saying whether it is one, too: the share of the mean of both log-odds.",
)
@click.option(
    "--both-sides",
    is_flag=True,
    help="Each model sees a clip and its mirror image, and says the mean: alike on both sides of a vehicle, at twice "
    "the work.",
)
@click.option("--clips", type=click.IntRange(1), default=256, show_default=True, help="How many clips to compare on.")
@click.option("--name", help="The bundle's name.  [default: the folder's]")
@click.option(
    "--distraction",
    metavar="LABEL,...",
    help="Those of the labels that count as distraction; !LABEL: all but that; empty: none.  "
    "[default: distracted, where there is such]",
)
@click.option(
    "--describe",
    type=click.Path(path_type=Path),
    metavar="FILE.yaml",
    help="Labels in words as the classes of a model that was only pretrained: label -> descriptions.",
)
@click.option(
    "--figures",
    type=click.Path(path_type=Path),
    metavar="REPORT.json",
    help="What edge-c2vl eval found (report.json of --report), to be stated in the bundle as its accuracy.",
)
@click.option(
    "--licence",
    "licences",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The text of a licence that the data asks to be handed on; it goes into the bundle. Repeatable.",
)
@click.option(
    "--offset",
    "offsets",
    multiple=True,
    metavar="LABEL=NUMBER",
    help="Add to this label's logit: the log of how much more often it is on the road than in training. Repeatable.",
)
@click.option(
    "--unseen-offset",
    "unseen_offsets",
    multiple=True,
    metavar="LABEL=NUMBER",
    help="Add this, times the square of the share of the clip in which elbows and wrists are not seen, to the logit. "
    "Repeatable.",
)
@click.option(
    "--sharpen",
    type=Number(0.1, 10),
    default=1.0,
    show_default=True,
    help="Multiply the logits of what counts as distraction: how surely it is said which, not whether.",
)
@click.option(
    "--batch",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Clips an inference, for engines that want it fixed; 0: any number.",
)
@click.option(
    "--attentive-odds",
    type=Number(-20, 20),
    help="Log-odds of distraction that attentive driving usually has (eval activities tells it), from which the "
    "vehicle's self-calibration counts.",
)
@click.option("--overwrite", is_flag=True, help="Replace a bundle that stands there.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def export(
    checkpoint: Path,
    bundle: Path,
    archive: Path,
    activities: Path | None,
    activities_share: float,
    both_sides: bool,
    clips: int,
    name: str | None,
    distraction: str | None,
    describe: Path | None,
    figures: Path | None,
    licences: tuple[Path, ...],
    offsets: tuple[str, ...],
    unseen_offsets: tuple[str, ...],
    sharpen: float,
    batch: int,
    attentive_odds: float | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write the BUNDLE that a vehicle needs from a trained model.

    CHECKPOINT is the folder of a finished run, or its model.safetensors. The ONNX model in the bundle gives the same
    logits and embeddings as PyTorch within 1e-4, which is checked on clips of an archive and printed.

    \b
    Example:
      edge-c2vl export runs/sktdd my-bundle --archive sktdd.archive
      edge-c2vl export runs/final my-bundle --archive sktdd.archive --figures report/report.json --licence LICENSE
      edge-c2vl export runs/both my-bundle --archive both.archive --distraction '!attentive'
      edge-c2vl export runs/both my-bundle --archive both.archive --distraction '!attentive' --activities runs/simulated
      edge-c2vl run --camera 0 --bundle my-bundle
      edge-c2vl export runs/c2vl my-bundle --archive drives --describe labels.yaml --distraction "on the phone"
    """
    from edge_c2vl.errors import UsageError
    from edge_c2vl.skeletons.archive import Archive
    from train.data.clips import sample_clips
    from train.model.checkpoint import LANGUAGE, load_model, run_folder
    from train.model.export import chosen_labels, export_bundle, parse_offsets, statement, texts_of

    encoder, about = load_model(checkpoint)
    second = None if activities is None else load_model(activities)
    folder = run_folder(checkpoint)
    files: dict[str, Path | bytes] = texts_of(licences)
    if (folder / LANGUAGE).is_file():
        files[LANGUAGE] = folder / LANGUAGE
    accuracy = None
    if figures is not None:
        second_run = None if activities is None else run_folder(activities)
        accuracy, files["report.json"] = statement(figures, folder, second_run)
    words = None
    if describe is not None:
        from train.knowledge.labels import make_words
        from train.knowledge.language import language_of, open_listener
        from train.knowledge.phrases import parse_labels

        words = make_words(open_listener(language_of(folder)), parse_labels([], describe), [])
    labels = about.labels if words is None else words.labels
    if distraction is None:
        if labels and "distracted" not in labels:
            raise UsageError(
                "say which labels count as distraction, because alerts come of no other: --distraction LABEL,... of "
                f"{', '.join(labels)}; or --distraction '' where none is to"
            )
        distraction = "distracted" if labels else ""
    compared = sample_clips(Archive.open(archive), about.clip, clips)
    made, difference = export_bundle(
        encoder,
        about,
        bundle,
        compared,
        name=name or bundle.name,
        distraction=chosen_labels(distraction, labels),
        activities=second,
        activities_share=activities_share,
        both_sides=both_sides,
        files=files,
        words=words,
        accuracy=accuracy,
        batch=batch,
        attentive_odds=attentive_odds,
        offsets=parse_offsets(offsets, labels),
        unseen_offsets=parse_offsets(unseen_offsets, labels, "--unseen-offset"),
        sharpen=sharpen,
        overwrite=overwrite,
    )
    size = sum(entry["size"] for entry in made.manifest.files.values())
    if as_json:
        click.echo(json.dumps({"bundle": str(made.path), "bytes": size, "clips": len(compared), "parity": difference}))
        return
    click.echo(f"{made.path}: {', '.join(made.manifest.labels)}; {size / 1e6:.2f} MB")
    click.echo(f"parity with PyTorch on {len(compared)} clips: largest difference {difference:.1e}")
