"""edge-c2vl knowledge caption | encode | show"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edge_c2vl.commands.options import json_option
from edge_c2vl.settings.flags import Number
from train.commands.presets import preset_option

_PATH = click.Path(path_type=Path)


@click.group()
def knowledge() -> None:
    """What is known of each clip in words or pictures, and the bank of its embeddings.

    \b
    edge-c2vl knowledge show ARCHIVE CLIP                the kinematic captions of a clip
    edge-c2vl knowledge encode ARCHIVE BANK              captions of all clips, their crops and variations -> a bank
    edge-c2vl knowledge vary ARCHIVE VARIED              an archive with variations of the clips
    edge-c2vl knowledge show ARCHIVE --bank BANK         how much the bank tells apart
    """


@knowledge.command()
@click.argument("videos", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("captions", type=_PATH)
@click.option("--endpoint", metavar="URL", help="An OpenAI-compatible server, such as http://127.0.0.1:8000/v1.")
@click.option("--model", required=True, help="The model's name on that server; without --endpoint a local folder.")
@click.option("--archive", type=_PATH, help="Caption this archive's clips.  [default: every video]")
@click.option("--prompt", help="What the model is asked.  [default: what the body does]")
@click.option("--frames", type=click.IntRange(1), default=16, show_default=True, help="Pictures of a clip.")
@click.option("--per-frame", is_flag=True, help="A caption of each picture (as C2VL's 16) instead of one of all.")
@click.option("--key-variable", default="OPENAI_API_KEY", show_default=True, help="Environment variable with the key.")
@click.option("--timeout-s", type=Number(1), default=120.0, show_default=True, help="For one request.")
@click.option("--retries", type=click.IntRange(0), default=4, show_default=True, help="Of a busy or silent server.")
@click.option("--workers", type=click.IntRange(1), default=4, show_default=True, help="Requests at once.")
@json_option
def caption(
    videos: Path,
    captions: Path,
    endpoint: str | None,
    model: str,
    archive: Path | None,
    prompt: str | None,
    frames: int,
    per_frame: bool,
    key_variable: str,
    timeout_s: float,
    retries: int,
    workers: int,
    as_json: bool,
) -> None:
    """Caption VIDEOS by a large multimodal model; the result, CAPTIONS, is JSON {name: [captions]}.

    The model sees a prompt and pictures, never a name. Interrupted work goes on where it was: run the same again.

    \b
    edge-c2vl knowledge caption videos/ captions.json --endpoint http://127.0.0.1:8000/v1 --model llava-1.5-7b
    edge-c2vl knowledge caption videos/ captions.json --model models/llava-1.5-7b
    """
    from edge_c2vl.skeletons.archive import Archive
    from train.knowledge.caption import PROMPT, Captioner, Endpoint, LocalCaptioner, Videos, sample_frames
    from train.knowledge.collect import collect

    asked = prompt or PROMPT
    if endpoint:
        captioner: Captioner = Endpoint(endpoint, model, asked, key_variable, timeout_s, retries)
    else:
        captioner, workers = LocalCaptioner(model, asked), 1  # one model, one clip at a time
    folder = Videos(videos)
    names = folder.names
    if archive:
        names = sorted({name.partition("#")[0] for name in Archive.open(archive).clips["name"].astype(str)})

    def make(name: str) -> list[str]:
        return captioner.captions(sample_frames(folder.find(name), frames), per_frame)

    settings = captioner.settings | {"frames": frames, "per_frame": per_frame}
    made, failed = collect(names, make, captions, settings, workers)
    if as_json:
        click.echo(json.dumps({"captioned": len(made), "failed": failed}, indent=2))
    else:
        for name, why in failed.items():
            click.echo(f"left out {name}: {why}", err=True)
        click.echo(f"{captions}: captions of {len(made)} clips; {len(failed)} left out")
    if failed:
        raise SystemExit(1)


@knowledge.command()
@click.argument("archive", type=_PATH)
@click.argument("bank", type=_PATH)
@click.option("--source", default="kinematic", show_default=True, metavar="kinematic|FILE|video:FOLDER",
              help="Rules on the skeletons, a file of captions (.json, .jsonl, or a .zip of one), or the pictures of "
              "videos (CLIP).")  # fmt: skip
@click.option("--encoder", default="minilm", show_default=True, metavar="minilm|clip:MODEL",
              help="MODEL: a folder or hub name of a CLIP.")  # fmt: skip
@preset_option
@click.option(
    "--crops",
    type=click.IntRange(0),
    help="Temporal crops of each clip, beside the whole, each with captions of its own.",
)
@click.option("--seconds", type=Number(0), help="Windows of this length instead (long drives); 0: whole recordings.")
@click.option("--hop-s", type=Number(0, min_open=True), help="Seconds between such windows.")
@click.option(
    "--variations",
    type=click.IntRange(0),
    help="Variations of each clip that are described and learnt from "
    "too: mirrored, backwards, both, and (3-D) with the arms of others.",
)
@click.option("--parts", is_flag=True, help="Also a caption of each part of the body: six more a window.")
@click.option(
    "--quarters/--no-quarters",
    default=None,
    help="Also all that holds in each quarter, and over the window: five more.",
)
@click.option(
    "--told",
    is_flag=True,
    help="Also what the archive says is done in each recording: the activity, as simulate-clips' archives tell it.",
)
@click.option("--facts", type=click.IntRange(1), help="Most facts of a caption.")
@click.option("--pool", type=click.Choice(["caption", "clauses", "whitened"]), help="Encode captions whole, or each "
              "distinct clause once and take their mean (far quicker); whitened: of clauses made unlike each other "
              "before, which tells clips apart best.")  # fmt: skip
@click.option("--frames", type=click.IntRange(1), default=16, show_default=True, help="Pictures of a video.")
@click.option("--skip-missing", is_flag=True, help="Leave out samples without captions or video.")
@click.option("--batch-size", type=click.IntRange(1), default=64, show_default=True, help="Texts at once.")
@click.option("--overwrite", is_flag=True, help="Replace a bank that exists.")
@json_option
def encode(
    archive: Path,
    bank: Path,
    encoder: str,
    preset: str | None,
    batch_size: int,
    overwrite: bool,
    as_json: bool,
    **recipe: Any,
) -> None:
    """Make BANK: the embeddings of what is known of each clip of ARCHIVE.

    What is not said follows from --preset and the archive: how long its recordings are, how many, and whether in 3-D.

    \b
    edge-c2vl knowledge encode nw-ucla bank
    edge-c2vl knowledge encode pku bank --source pkuv2_language.json --encoder clip:models/clip-vit-base-patch32
    edge-c2vl knowledge encode drives bank --seconds 3 --hop-s 0.5
    """
    from edge_c2vl.skeletons.archive import Archive
    from edge_c2vl.utils.cache import default_cache
    from train.knowledge.make import make_bank
    from train.knowledge.presets import bank_settings
    from train.knowledge.text import open_encoder

    opened = Archive.open(archive)
    plan = bank_settings(opened, preset or "standard", **recipe)
    facts = make_bank(opened, bank, plan, open_encoder(encoder), batch_size, default_cache() / "text", overwrite)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        rows, count, size = facts["rows"], facts["per_row"], facts["dimension"]
        made = f" and {facts['clips'] - len(opened)} variations of them" if plan.variations else ""
        click.echo(f"{bank}: {rows} windows of {len(opened)} clips{made}, {count} embedding(s) each, {size} dimensions")


@knowledge.command()
@click.argument("archive", type=_PATH)
@click.argument("varied", type=_PATH)
@click.option("--split", default="", metavar="COLUMN", help="Vary only what is in train of this column.")
@click.option("--arms", type=click.IntRange(0), default=4, show_default=True,
              help="Times that a clip gets the arms of another one (3-D archives).")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Whose arms a clip gets.")
@click.option("--overwrite", is_flag=True, help="Replace an archive that exists.")
@json_option
def vary(archive: Path, varied: Path, split: str, arms: int, seed: int, overwrite: bool, as_json: bool) -> None:
    """Write VARIED: the clips of ARCHIVE and variations of them, to look at or to encode by other rules.

    `encode` makes variations of its own, and keeps them in the bank.

    Each clip mirrored, played backwards, both, and with the arms of others. The rules caption them as they do any
    movement. Column "pretrain" of VARIED says what may be learnt from; the other columns are those of ARCHIVE.

    \b
    edge-c2vl knowledge vary nw-ucla nw-ucla-varied --split xview
    edge-c2vl knowledge encode nw-ucla-varied bank --variations 0
    edge-c2vl train pretrain nw-ucla-varied runs/c2vl --bank bank --split pretrain
    """
    from edge_c2vl.skeletons.archive import Archive
    from train.knowledge.vary import vary as write

    clips, made = write(Archive.open(archive), varied, split, arms, seed, overwrite)
    if as_json:
        click.echo(json.dumps({"archive": str(varied), "clips": clips, "variations": made}))
    else:
        click.echo(f"{varied}: {clips} clips and {made} variations of them")


@knowledge.command()
@click.argument("archive", type=_PATH)
@click.argument("clip", required=False)
@click.option("--bank", type=_PATH, help="Print what this bank says of the clip, and its statistics.")
@click.option("--output", type=_PATH, help="Draw the clip as a film strip into this picture (.png, .pdf, .svg).")
@click.option("--parts", is_flag=True, help="Also the captions of each part of the body.")
@click.option("--size", type=click.IntRange(1), default=64, show_default=True, help="Dimensions to whiten to.")
@json_option
def show(
    archive: Path, clip: str | None, bank: Path | None, output: Path | None, parts: bool, size: int, as_json: bool
) -> None:
    """Show what is known of CLIP (its name or number) of ARCHIVE beside its picture, and how much a bank tells apart.

    \b
    edge-c2vl knowledge show nw-ucla a01_s01_e00_v01 --output clip.png
    edge-c2vl knowledge show nw-ucla --bank bank
    """
    from train.knowledge.show import clip_facts, print_clip, print_statistics

    if clip is None and bank is None:
        raise click.UsageError("name a CLIP to see it, or a --bank to see its statistics")
    shown = clip_facts(archive, clip, bank, output, parts, size)
    if as_json:
        click.echo(json.dumps(shown, indent=2))
        return
    if clip is not None:
        click.echo(print_clip(shown))
    if "statistics" in shown:
        click.echo(print_statistics(shown))
    if output:
        click.echo(f"drawn: {output}")
