"""edge-c2vl labels add | list | remove"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_c2vl.commands.options import json_option

if TYPE_CHECKING:
    from edge_c2vl.bundle.bundle import Bundle
    from edge_c2vl.bundle.text_labels import TextLabels
    from train.knowledge.language import Listener

# Below this cosine a clause has little to do with the captions' clause that is nearest to it.
FAINT = 0.5

_BUNDLE = click.argument("bundle", type=click.Path(path_type=Path))
_ENCODER = click.option(
    "--encoder",
    metavar="minilm|clip:MODEL",
    help="The text encoder, where it is not found by the name that the bundle knows.",
)


@click.group()
def labels() -> None:
    """Labels in words: phrases that a bundle's encoder compares clips with.

    The encoder was pretrained on captions such as "the right hand is at the head", and that is the language it hears:
    a label is best described in it. `edge-c2vl run` tells the nearest phrase beside the trained classes.

    \b
    edge-c2vl labels add BUNDLE "on the phone: one hand is at the head" "driving: both hands keep still"
    edge-c2vl labels add BUNDLE --describe labels.yaml --distraction "on the phone"
    edge-c2vl labels list BUNDLE
    """


@labels.command()
@_BUNDLE
@click.argument("phrases", nargs=-1, metavar='"LABEL[: DESCRIPTION]"...')
@click.option("--describe", type=click.Path(path_type=Path), metavar="FILE.yaml", help="label -> descriptions.")
@click.option("--distraction", multiple=True, metavar="LABEL", help="A label that counts as distraction; repeatable.")
@click.option("--replace", is_flag=True, help="Instead of the labels in words that the bundle has.")
@_ENCODER
@json_option
def add(
    bundle: Path,
    phrases: tuple[str, ...],
    describe: Path | None,
    distraction: tuple[str, ...],
    replace: bool,
    encoder: str | None,
    as_json: bool,
) -> None:
    """Embed phrases and keep them in BUNDLE.

    A description's clauses are divided by ";". Sentences that begin with "At first", "Then", "After that" or "At the
    end" tell of a quarter of the window; "one hand ... the other" stands for either side. Of several descriptions of a
    label, in a file, the mean counts. What the model hears in each clause is printed: where nothing near is found, say
    it in other words.

    \b
    edge-c2vl labels add my-bundle "reading: both hands are in front of the body; the head is bowed" "driving"
    edge-c2vl labels add my-bundle --describe labels.yaml --distraction texting --distraction drinking
    """
    from train.knowledge.phrases import parse_labels

    given = parse_labels(phrases, describe)
    if not given:
        raise click.UsageError('name phrases, such as "reading a newspaper", or a file with --describe')
    opened, listener = _open(bundle, encoder)
    before = None if replace else opened.words
    known: dict[str, list[str]] = (
        {} if before is None else {label: before.descriptions[label] for label in before.labels}
    )
    kept = [] if before is None else [label for label in before.distraction if label not in given]
    _store(opened, listener, known | given, [*kept, *distraction], as_json, set(given))


@labels.command("list")
@_BUNDLE
@click.option("--near", metavar="TEXT", help="Show what the encoder's captions say that is like TEXT.")
@_ENCODER
@json_option
def list_labels(bundle: Path, near: str | None, encoder: str | None, as_json: bool) -> None:
    """Show BUNDLE's labels in words, and what the model hears in them.

    \b
    edge-c2vl labels list my-bundle
    edge-c2vl labels list my-bundle --near "holding a cup"
    """
    if near is not None:
        _, listener = _open(bundle, encoder)
        found = listener.nearest(near, 10)
        if as_json:
            click.echo(json.dumps([{"clause": clause, "cosine": round(cosine, 3)} for clause, cosine in found]))
            return
        for clause, cosine in found:
            click.echo(f"{cosine:5.2f}  {clause}")
        return
    from edge_c2vl.bundle.bundle import Bundle

    words = Bundle.open(bundle).words
    if words is None:
        click.echo("[]" if as_json else f"{bundle} has no labels in words; add some with edge-c2vl labels add")
        return
    _, listener = _open(bundle, encoder)
    _tell(listener, words, as_json, set(words.labels))


@labels.command()
@_BUNDLE
@click.argument("names", nargs=-1, required=True, metavar="LABEL...")
@_ENCODER
@json_option
def remove(bundle: Path, names: tuple[str, ...], encoder: str | None, as_json: bool) -> None:
    """Take labels in words out of BUNDLE; of two both go."""
    from edge_c2vl.bundle.bundle import Bundle, revise_bundle
    from edge_c2vl.bundle.text_labels import FILE
    from edge_c2vl.errors import UsageError

    opened = Bundle.open(bundle)
    words = opened.words
    known = words.labels if words is not None else []
    unknown = [name for name in names if name not in known]
    if words is None or unknown:
        raise UsageError(
            f"{bundle} has no label in words {(unknown or names)[0]!r}: there are {', '.join(known) or 'none'}"
        )
    rest = {label: words.descriptions[label] for label in known if label not in names}
    if len(rest) == 1:
        raise UsageError(
            f"{next(iter(rest))!r} alone would be left, and one phrase is always the nearest: remove it too"
        )
    if not rest:
        revise_bundle(opened, {FILE: None})
        click.echo("[]" if as_json else f"{bundle} has no labels in words now")
        return
    _, listener = _open(bundle, encoder)
    _store(opened, listener, rest, [label for label in words.distraction if label in rest], as_json, set(rest))


def _open(path: Path, encoder: str | None) -> tuple[Bundle, Listener]:
    """The bundle, and its language with the text encoder. Raises UsageError where it has none."""
    from edge_c2vl.bundle.bundle import DEFAULT, Bundle
    from edge_c2vl.errors import UsageError
    from train.knowledge.language import language_of, open_listener

    opened = Bundle.open(path)
    language = language_of(opened.path)
    if opened.path == DEFAULT:
        raise UsageError(f"the default bundle belongs to the installation: copy {DEFAULT} and name the copy")
    return opened, open_listener(language, encoder)


def _store(
    opened: Bundle,
    listener: Listener,
    given: dict[str, list[str]],
    distraction: list[str],
    as_json: bool,
    shown: set[str],
) -> None:
    from edge_c2vl.bundle.bundle import revise_bundle
    from edge_c2vl.bundle.text_labels import FILE
    from train.knowledge.labels import make_words

    words = make_words(listener, given, list(dict.fromkeys(distraction)))
    revise_bundle(opened, {FILE: words.to_bytes()})
    _tell(listener, words, as_json, shown)


def _tell(listener: Listener, words: TextLabels, as_json: bool, shown: set[str]) -> None:
    from train.knowledge.labels import heard

    found = [entry for entry in heard(listener, words) if entry.label in shown]
    if as_json:
        values: dict[str, Any] = {"temperature": round(words.temperature, 4), "encoder": words.encoder}
        rows = [entry.to_json() | {"distraction": entry.label in words.distraction} for entry in found]
        click.echo(json.dumps(values | {"labels": rows}, ensure_ascii=False))
        return
    for entry in found:
        click.echo(f"{entry.label}{'  (distraction)' if entry.label in words.distraction else ''}")
        for said, near in entry.clauses:
            if near[0][1] > 0.999:
                click.echo(f"    {said}  known")
                continue
            how = "heard as" if near[0][1] >= FAINT else "hardly heard; nearest"
            click.echo(f"    {said}  {how}: " + "; ".join(f"{clause} {cosine:.2f}" for clause, cosine in near))
        agree = (
            "" if entry.agree is None else f", and finds {entry.agree:.0%} of those whose captions are nearest to it"
        )
        click.echo(f"    of the clips it was pretrained on the encoder finds {entry.share:.0%} nearest to this{agree}")
    click.echo(f"temperature {words.temperature:.3f}, by {words.encoder}")
