"""Labels in words in the vehicle: read, verified, compared, told beside the classes or decided by."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from edge_c2vl.bundle.bundle import Bundle, revise_bundle
from edge_c2vl.bundle.text_labels import FILE, TextLabels
from edge_c2vl.errors import BundleError, UsageError
from edge_c2vl.monitoring.policy import State
from edge_c2vl.outputs.status import StatusLine
from edge_c2vl.runtime.pipeline import Pipeline
from edge_c2vl.runtime.run import watch
from edge_c2vl.runtime.settings import RunSettings
from edge_c2vl.utils.scores import softmax
from tests.support.pipeline import Camera, Encoder, Kept, Pose, model
from tests.support.tiny_bundle import SIZE, make_bundle

# The scripted encoder's embedding is (1, 1, 1, 1) / 2.
WORDS = TextLabels(
    labels=["on the phone", "hands on the wheel", "asleep"],
    embeddings=np.array([[1, 1, 1, -1], [1, -1, -1, 1], [-1, -1, -1, -1]], np.float32) / 2,
    temperature=0.5,
    distraction=["on the phone"],
    descriptions={"on the phone": ["one hand is at the head"], "hands on the wheel": [], "asleep": []},
    encoder="all-MiniLM-L6-v2",
)


@pytest.fixture
def bundle(tmp_path):
    return revise_bundle(make_bundle(tmp_path / "bundle"), {FILE: WORDS.to_bytes()})


def test_what_is_written_is_read(bundle):
    words = Bundle.open(bundle.path).words
    assert words is not None
    np.testing.assert_array_equal(words.embeddings, WORDS.embeddings)
    assert replace(words, embeddings=WORDS.embeddings) == WORDS
    assert FILE in bundle.manifest.files
    assert WORDS.to_bytes() == WORDS.to_bytes()  # the same words make the same file, and the same hash


def test_a_bundle_without_words_has_none(tmp_path):
    assert make_bundle(tmp_path / "bundle").words is None


def test_altered_words_are_refused(bundle):
    content = bytearray((bundle.path / FILE).read_bytes())
    content[-200] ^= 1
    (bundle.path / FILE).write_bytes(content)
    with pytest.raises(BundleError, match="was altered"):
        Bundle.open(bundle.path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"nothing", "holds no labels in words"),
        (replace(WORDS, labels=["one"], embeddings=WORDS.embeddings[:1], distraction=[]).to_bytes(), "fewer than two"),
        (replace(WORDS, labels=["a", "same", "same"], distraction=[]).to_bytes(), "not what they should be"),
        (replace(WORDS, distraction=["dancing"]).to_bytes(), "not what they should be"),
        (replace(WORDS, embeddings=np.eye(3, SIZE + 1, dtype=np.float32)).to_bytes(), f"model's have {SIZE} numbers"),
        (replace(WORDS, embeddings=2 * WORDS.embeddings).to_bytes(), "unit length"),
        (replace(WORDS, temperature=float("nan")).to_bytes(), "temperature"),
    ],
)
def test_words_that_do_not_fit_never_reach_a_bundle(bundle, content, message):
    with pytest.raises(BundleError, match=message):
        revise_bundle(bundle, {FILE: content})
    assert Bundle.open(bundle.path).words is not None  # the old ones stay


def test_probabilities_are_the_softmax_of_cosines():
    embedding = np.array([1, 1, 1, 1], np.float32) / 2
    found = WORDS.probabilities(embedding)
    assert list(found) == WORDS.labels
    # cosines 1/2, 0 and -1, over a temperature of 1/2
    assert found["on the phone"] == pytest.approx(np.e / (np.e + 1 + np.exp(-2)), abs=1e-6)
    np.testing.assert_allclose(softmax(WORDS.scores(embedding[None])[0]), list(found.values()), atol=1e-6)


def decisions(by_words=False, score=-3.0, encoder=None, words=WORDS):
    """The decisions of five seconds in which the classifier says attentive and the words on the phone."""
    kept = Kept()
    pipeline = Pipeline(Camera(150), Pose(), model(encoder or Encoder(score), words, by_words), sinks=[kept])
    summary = pipeline.run()
    named = [decision for decision in kept.decisions if decision.words is not None]
    assert sum(summary.in_words.values()) == len(named)
    assert ("in words   on the phone" in summary.to_text()) == bool(named)
    return [decision for decision in kept.decisions if decision.state is not State.STARTING]


def test_words_are_told_beside_the_classes():
    found = decisions()
    assert {decision.state for decision in found} == {State.ATTENTIVE}
    assert {decision.label for decision in found} == {"attentive"}
    for decision in found:
        line = json.loads(json.dumps(decision.to_json()))
        assert list(line["words"].values()) == pytest.approx([0.7054, 0.2595, 0.0351])
        assert set(line["probabilities"]) == {"attentive", "distracted"}
    assert decisions(words=None)[0].to_json()["words"] is None


def test_words_decide_where_they_are_asked_to():
    found = decisions(by_words=True)
    assert found[-1].state is State.DISTRACTED
    assert found[-1].label == "on the phone"
    assert found[-1].probabilities == found[-1].words


def test_an_embedding_that_is_no_number_is_no_word():
    class Broken(Encoder):
        def _infer(self, clip):
            return super()._infer(clip)[0], np.full((1, 4), np.nan, np.float32)

    assert {decision.words and 1 for decision in decisions(encoder=Broken(-3.0))} == {None}
    assert {decision.state for decision in decisions(encoder=Broken(-3.0))} == {State.CANNOT_SEE}
    # Without words the embedding is nobody's business.
    assert {decision.state for decision in decisions(encoder=Broken(-3.0), words=None)} == {State.ATTENTIVE}


def test_the_status_line_names_the_nearest_phrase(capsys):
    decision = decisions()[-1]
    assert "on the phone 71%" in StatusLine()._line(decision)
    assert StatusLine()._line(decisions(by_words=True)[-1]).count("on the phone") == 1


def test_deciding_by_words_needs_words(tmp_path):
    make_bundle(tmp_path / "bundle")
    with pytest.raises(UsageError, match="has no labels in words"):
        watch(RunSettings.of(camera="0", bundle=str(tmp_path / "bundle"), decide_by="words", quiet=True))
