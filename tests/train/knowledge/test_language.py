"""Words to the space of the embeddings: by the way of the bank's captions, and by that encoder only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_c2vl.errors import UsageError
from train.knowledge.bank import Bank, write_bank
from train.knowledge.encode import encode_captions
from train.knowledge.labels import fit_temperature, heard, make_words
from train.knowledge.language import Language, Listener, language_of
from train.knowledge.phrases import parse_labels, prompts_of
from train.knowledge.sentences import columns
from train.knowledge.spectrum import Preparation
from train.knowledge.text import KnowledgeError, TextEncoder
from train.model.checkpoint import CheckpointError, write_tensors

PLACES = ("head", "hip", "knee", "belly", "shoulder", "foot", "back", "chin", "elbow", "wheel")
CLAUSES = [f"The {side} hand is at the {place}." for side in ("right", "left") for place in PLACES]


class Bags(TextEncoder):
    """Counts words: an encoder that knows what is alike by what texts share."""

    name, dimension, fingerprint = "bags", 64, "bags"

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        counts = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().replace(".", " ").replace(";", " ").split():
                counts[row, sum(map(ord, word)) * 31 % self.dimension] += 1
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def said(random: np.random.Generator, clauses: Sequence[str] = CLAUSES) -> str:
    return " ".join(random.choice(clauses, 3, replace=False))


@pytest.fixture(scope="module", params=["whitened", "clauses", "caption"])
def bank(request, tmp_path_factory) -> Bank:
    """80 windows with captions of the whole and of quarters."""
    random = np.random.default_rng(0)
    captions = [[said(random) for _ in columns(False, True)] for _ in range(80)]
    embeddings, vocabulary = encode_captions(Bags(), captions, request.param)
    path = tmp_path_factory.mktemp("language") / "bank"
    names, spans = [f"clip{row}" for row in range(80)], [[0.0, 1.0]] * 80
    write_bank(
        path, names, spans, embeddings, captions, kind="language", encoder="bags", source="test", fingerprint="bags",
        pool=request.param, columns=columns(False, True), vocabulary=vocabulary,
    )  # fmt: skip
    return Bank.open(path)


def language(bank: Bank, joined: bool = True) -> tuple[Language, np.ndarray]:
    """The language, and what the windows' knowledge is in it."""
    raw = bank.embeddings.reshape(len(bank), 1, -1) if joined else bank.embeddings
    preparation = Preparation.fit(raw, "centre", 40 if joined else 0)
    known = Language.of(bank, preparation, joined)
    assert known is not None
    return known, preparation.apply(raw)[:, 0]


def test_the_banks_vocabulary_is_kept(bank: Bank) -> None:
    assert bank.vocabulary is not None
    assert set(bank.vocabulary.clauses) == set(CLAUSES)
    assert bank.vocabulary.said.shape == (len(CLAUSES), 6)
    assert bank.vocabulary.said.sum() == 80 * 6 * 3
    assert (bank.vocabulary.whitening is not None) == (bank.meta["pool"] == "whitened")


@pytest.mark.parametrize("joined", [True, False])
def test_a_captions_own_words_are_nearest_to_it(bank: Bank, joined: bool) -> None:
    """A clip described by its own captions is found again among all clips."""
    known, knowledge = language(bank, joined)
    listener = Listener(known, Bags())
    lead = ("", "At first ", "Then ", "After that ", "At the end ")
    right = 0
    for row, texts in zip(range(20), bank.captions(), strict=False):
        told = [when + text.rstrip(".").replace(". ", "; ") + "." for when, text in zip(lead, texts, strict=False)]
        (vector,) = listener.embed({"x": [" ".join(told if joined else told[:1])]})
        right += int((knowledge @ vector).argmax() == row)
    # Side by side, captions that were encoded whole are each compared with the whole description.
    assert right >= {"whitened": 17, "clauses": 12, "caption": 2 if joined else 19}[bank.meta["pool"]], right


def test_when_it_is_told_matters(bank: Bank) -> None:
    if bank.meta["pool"] == "caption":
        pytest.skip("captions that are encoded whole have no clauses")
    known, knowledge = language(bank)
    told = Listener(known, Bags()).embed({"x": ["At first the right hand is at the head."]})[0]
    captions = list(bank.captions())
    first = np.array(["The right hand is at the head." in texts[1] for texts in captions])
    last = np.array(["The right hand is at the head." in texts[4] for texts in captions]) & ~first
    cosines = knowledge @ told
    assert cosines[first].mean() > cosines[last].mean() + 0.1


def test_what_no_caption_says_is_heard_as_the_most_alike(bank: Bank) -> None:
    known, _ = language(bank)
    listener = Listener(known, Bags())
    (nearest, cosine), *_ = listener.nearest("my right hand is at the chin", 3)
    assert nearest == "The right hand is at the chin."
    assert 0.7 < cosine < 1
    assert listener.knows(nearest)
    if known.pool != "caption":
        unknown, same, other = listener.embed(
            {"a": ["My right hand is at the chin."], "b": [nearest], "c": ["The left hand is at the foot."]}
        )
        assert unknown @ same > unknown @ other + 0.3


def test_a_language_is_kept_as_it_is(bank: Bank, tmp_path: Path) -> None:
    known, knowledge = language(bank)
    known = replace(known, clips=knowledge[:10], words=knowledge[10:20])
    known.save(tmp_path / "language.safetensors")
    again = language_of(tmp_path)
    assert again.vocabulary.clauses == known.vocabulary.clauses
    np.testing.assert_allclose(again.words, known.words, atol=1e-3)
    labels = {"a": ["the right hand is at the head"], "b": ["the left hand is at the knee"]}
    before, after = (Listener(one, Bags()).embed(labels) for one in (known, again))
    np.testing.assert_allclose(before @ before.T, after @ after.T, atol=1e-3)
    np.testing.assert_allclose((before * after).sum(axis=1), 1, atol=1e-5)


def test_another_encoder_is_refused(bank: Bank) -> None:
    class Others(Bags):
        fingerprint = "others"

    known, _ = language(bank)
    with pytest.raises(KnowledgeError, match="need the very same"):
        Listener(known, Others())


def test_what_is_no_language_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="words mean nothing to it"):
        language_of(tmp_path)
    write_tensors(tmp_path / "language.safetensors", {}, {"kind": "model"})
    with pytest.raises(CheckpointError, match="holds no language"):
        language_of(tmp_path)


def test_the_temperature_is_as_sure_as_the_encoder_is_right(bank: Bank) -> None:
    known, knowledge = language(bank)
    labels = {place: [f"the right hand is at the {place}"] for place in PLACES[:4]}
    random = np.random.default_rng(0)
    found = []
    for noise in (0.0, 0.05, 0.2):
        clips = knowledge + noise * random.normal(size=knowledge.shape)
        clips = (clips / np.linalg.norm(clips, axis=1, keepdims=True)).astype(np.float32)
        seen = replace(known, clips=clips, words=knowledge)
        words = make_words(Listener(seen, Bags()), labels, ["head"])
        found.append(words.temperature)
        (head, *_) = heard(Listener(seen, Bags()), words)
        assert head.agree is not None
        assert (head.agree == 1) == (noise == 0)
        assert head.clauses[0][1][0] == ("The right hand is at the head.", pytest.approx(1, abs=1e-5))
    assert found == sorted(found)
    assert found[0] < found[2]
    assert fit_temperature(known, words.embeddings) == 0.1  # nothing is known of any clip


def test_one_phrase_is_no_choice(bank: Bank) -> None:
    listener = Listener(language(bank)[0], Bags())
    with pytest.raises(UsageError, match="two or more"):
        make_words(listener, {"phone": []}, [])
    with pytest.raises(UsageError, match="'asleep' is to count as distraction"):
        make_words(listener, {"phone": [], "driving": []}, ["asleep"])


def test_descriptions_are_taken_apart() -> None:
    (prompt,) = prompts_of("The head is bowed; the trunk leans back.  Then both hands rise. At the end they sink!")
    assert prompt.clauses == [
        ("The head is bowed.", None),
        ("The trunk leans back.", None),
        ("Both hands rise.", 1),
        ("They sink.", 3),
    ]
    right, left = prompts_of("one hand is at the head; the other hand is at the other hip")
    assert right.clauses == [("The right hand is at the head.", None), ("The left hand is at the left hip.", None)]
    assert left.clauses == [("The left hand is at the head.", None), ("The right hand is at the right hip.", None)]
    assert prompts_of("Thenceforth he sits")[0].clauses == [("Thenceforth he sits.", None)]


def test_labels_are_read_from_arguments_and_file(tmp_path: Path) -> None:
    file = tmp_path / "labels.yaml"
    file.write_text(
        "phone:\n  - One hand is at\n    the head.\n  - The head is bowed.\ndriving:\nidle: both hands rest\n"
    )
    assert parse_labels([" reading  a book ", "drinking: one hand rises"], file) == {
        "reading a book": [],
        "drinking": ["one hand rises"],
        "phone": ["One hand is at the head.", "The head is bowed."],
        "driving": [],
        "idle": ["both hands rest"],
    }


@pytest.mark.parametrize(
    ("arguments", "text", "message"),
    [
        (["a", "a: b"], None, "'a' is given twice"),
        (["phone"], "phone: [x]", "'phone' is given twice"),
        (["  "], None, "one of them is empty"),
        (["a: "], None, "description of 'a' is empty"),
        (["a: ;."], None, "says nothing"),
        ([], "- a\n- b\n", "should hold labels"),
        ([], "a: {b: c}\n", "'a' should have a text or a list"),
        ([], "a: [1]\n", "'a' should have a text or a list"),
        ([], "a: [", "cannot be read"),
        ([], "", "should hold labels"),
    ],
)
def test_labels_that_are_none_are_refused(tmp_path: Path, arguments: list[str], text: str | None, message: str) -> None:
    file = None
    if text is not None:
        file = tmp_path / "labels.yaml"
        file.write_text(text)
    with pytest.raises(UsageError, match=message):
        parse_labels(arguments, file)
    with pytest.raises(UsageError, match="does not exist"):
        parse_labels([], tmp_path / "nowhere.yaml")
