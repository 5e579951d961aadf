"""Protocols against hand-worked cases; features of a frozen encoder do not depend on their batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edge_c2vl.errors import UsageError  # noqa: E402
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter  # noqa: E402
from edge_c2vl.skeletons.clip import ClipSpec  # noqa: E402
from edge_c2vl.skeletons.windows import whole_clips  # noqa: E402
from train.data.clips import ClipStore  # noqa: E402
from train.data.splits import few_labels, hold_out  # noqa: E402
from train.evaluation.fusion import FUSION, fuse  # noqa: E402
from train.evaluation.judges import (  # noqa: E402
    C_GRID,
    UNSEEN_LOG_PROBABILITY,
    choose_c,
    knn_predict,
    one_class_scores,
    probe_scores,
)
from train.metrics import roc_auc, score  # noqa: E402
from train.model.encoder import Encoder  # noqa: E402
from train.model.inference import cached_features, extract  # noqa: E402
from train.settings.training import EncoderSettings  # noqa: E402


@pytest.fixture
def store(tmp_path: Path) -> ClipStore:
    """Nine clips of 12 to 20 frames, one of them with nothing seen and one with NaN coordinates."""
    random = np.random.default_rng(0)
    with ArchiveWriter(
        tmp_path / "archive", labels=["a", "b"], source="test", licence="none", source_layout="ntu25", dimensions=3
    ) as writer:
        for number in range(9):
            frames = np.concatenate([random.normal(size=(12 + number, 25, 3)), np.ones((12 + number, 25, 1))], axis=2)
            if number == 3:
                frames[:] = 0
            if number == 5:
                frames[::2, :7, 0] = np.nan
            writer.append(f"clip{number}", frames.astype(np.float32), fps=30, label=number % 2)
    archive = Archive.open(tmp_path / "archive")
    return ClipStore.open(archive, whole_clips(archive), ClipSpec(frames=16, dimensions=3), tmp_path / "cache")


def small_encoder(**settings) -> Encoder:
    torch.manual_seed(0)
    return Encoder(EncoderSettings(width=4, blocks=3, **settings))


def test_features_are_those_of_eval_mode_whatever_the_batch(store: ClipStore) -> None:
    encoder = small_encoder().train()
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    together = extract(encoder, store, np.arange(9), batch_size=9)
    alone = extract(encoder, store, np.arange(9), batch_size=1)
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert encoder.training
    for name, tensor in encoder.state_dict().items():
        assert torch.equal(tensor, before[name]), f"{name} changed: the encoder was not frozen"
    trained = torch.cat([encoder.features(torch.from_numpy(store.read(np.arange(9))))]).detach().numpy()
    assert np.abs(trained - together).max() > 0.01  # what train mode would have given


def test_clips_without_a_body_and_with_nan_have_finite_features(store: ClipStore) -> None:
    features = extract(small_encoder(), store, np.arange(9))
    assert np.isfinite(features).all()
    assert np.abs(store.read(np.array([3]))).max() == 0
    # Nothing seen: the same features as any other empty clip.
    np.testing.assert_array_equal(features[3], extract(small_encoder(), store, np.array([3]))[0])


def test_features_are_computed_once(store: ClipStore, tmp_path: Path) -> None:
    encoder = small_encoder()
    first = cached_features(encoder, store, cache=tmp_path / "features")
    files = list((tmp_path / "features").rglob("*.npy"))
    assert len(files) == 1
    np.save(files[0], first + 1)  # a mark, to see that the file is what is read
    np.testing.assert_array_equal(cached_features(encoder, store, cache=tmp_path / "features"), first + 1)
    with torch.no_grad():
        next(encoder.parameters()).add_(0.1)
    assert np.abs(cached_features(encoder, store, cache=tmp_path / "features") - first - 1).max() > 1e-3


def test_the_probe_is_logistic_regression_on_standardised_features() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat([0, 2], 20)
    train = np.stack([labels * 100.0 + random.normal(size=40), random.normal(size=40)], 1).astype(np.float32)
    scores = probe_scores(train, labels, train, classes=3)
    assert (scores.argmax(axis=1) == labels).all()
    assert (scores[:, 1] == UNSEEN_LOG_PROBABILITY).all()
    np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1, atol=1e-6)
    # Units do not matter, a feature that never varies does no harm.
    wide = np.concatenate([train * 1e3 - 7, np.full((40, 1), 5, np.float32)], axis=1)
    np.testing.assert_allclose(probe_scores(wide, labels, wide, classes=3), scores, atol=0.05)


def test_the_optimum_of_the_probe() -> None:
    """At the optimum the gradient of C * loss + |w|^2 / 2 is 0: w = -C * sum over the rows of (p - y) x."""
    random = np.random.default_rng(1)
    x = random.normal(size=(60, 3)).astype(np.float32)
    labels = (x[:, 0] + random.normal(size=60) > 0).astype(np.int64)
    grid = np.eye(3, dtype=np.float32)  # scores at the corners reveal the weights
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    at = np.concatenate([np.zeros((1, 3), np.float32), grid]) * deviation + mean
    logits = probe_scores(x, labels, at, 2)
    logits = logits[:, 1] - logits[:, 0]
    weights = logits[1:] - logits[0]
    own = probe_scores(x, labels, x, 2)
    gradient = ((np.exp(own[:, 1]) - labels)[:, None] * (x - mean) / deviation).sum(axis=0)
    np.testing.assert_allclose(weights, -gradient, atol=0.02)  # where L-BFGS stops


@pytest.mark.parametrize(
    ("train", "labels"),
    [(np.full((4, 2), np.nan), [0, 1, 0, 1]), (np.zeros((4, 2)), [1, 1, 1, 1]), (np.zeros((4, 2)), [0, 1, -1, 1])],
)
def test_the_probe_refuses_what_it_cannot_learn_from(train: np.ndarray, labels: list[int]) -> None:
    with pytest.raises(UsageError):
        probe_scores(train.astype(np.float32), np.array(labels), np.zeros((1, 2), np.float32), 2)


def test_c_is_chosen_on_validation_rows_only() -> None:
    random = np.random.default_rng(2)
    train = random.normal(size=(40, 30)).astype(np.float32)
    labels = random.integers(0, 2, 40)
    validation = random.normal(size=(80, 30)).astype(np.float32)
    truth = random.integers(0, 2, 80)
    chosen = choose_c(train, labels, validation, truth, 2)
    results = [score(probe_scores(train, labels, validation, 2, c).argmax(1), truth).top1 for c in C_GRID]
    assert chosen == C_GRID[int(np.argmax(results))]


def test_top1_and_balanced() -> None:
    result = score(np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 1]))
    assert result.top1 == pytest.approx(0.8)
    assert result.balanced == pytest.approx((1 + 0.5) / 2)
    assert result.n == 5
    # A class without a clip counts neither for nor against.
    assert score(np.array([0, 2]), np.array([0, 2])).balanced == 1
    for labels in ([], [0, -1]):
        with pytest.raises(UsageError):
            score(np.zeros(len(labels), np.int64), np.array(labels, np.int64))


def test_nearest_neighbours() -> None:
    train = np.array([[1, 0], [0.9, 0.1], [0, 1], [-1, 0]], np.float32)
    labels = np.array([0, 1, 1, 2])
    test = np.array([[2, 0.01], [0, 5], [-3, 0.1]], np.float32)
    assert knn_predict(train, labels, test, k=1).tolist() == [0, 1, 2]
    # Of three the two of class 1 outvote the nearest; with all four as well.
    assert knn_predict(train, labels, test[:1], k=3).tolist() == [1]
    assert knn_predict(train, labels, test[:1], k=99).tolist() == [1]
    # One vote each: the nearer one wins.
    assert knn_predict(train, labels, test[:1], k=2).tolist() == [0]
    assert knn_predict(train, labels, np.zeros((0, 2), np.float32)).tolist() == []


def test_few_labels_are_drawn_from_each_class() -> None:
    labels = np.array([0] * 50 + [1] * 20 + [2] * 3 + [-1] * 5)
    chosen = few_labels(labels, share=0.1)
    assert np.bincount(labels[chosen]).tolist() == [5, 2, 1]
    assert np.bincount(labels[few_labels(labels, shots=5)]).tolist() == [5, 5, 3]
    assert few_labels(labels, share=0.1).tolist() == chosen.tolist()
    assert few_labels(labels, share=0.1, seed=1).tolist() != chosen.tolist()
    assert len(set(chosen.tolist())) == len(chosen)
    assert few_labels(labels, share=1.0).tolist() == list(range(73))
    for wrong in ({}, {"share": 0.1, "shots": 1}, {"share": 0.0}, {"share": 2.0}, {"shots": 0}):
        with pytest.raises(UsageError):
            few_labels(labels, **wrong)


def test_whole_people_are_held_out() -> None:
    groups = np.array([f"s{n % 7}" for n in range(70)])
    fitting, held = hold_out(groups, 0.3, seed=3)
    assert sorted([*fitting, *held]) == list(range(70))
    assert not set(groups[fitting]) & set(groups[held])
    assert len(held) == 20
    assert len(hold_out(np.array(["a", "b"]), 0.01)[1]) == 1
    with pytest.raises(UsageError):
        hold_out(np.array(["a", "a"]), 0.5)


def test_strange_is_far_from_normal() -> None:
    random = np.random.default_rng(0)
    covariance = np.array([[1, 0.95], [0.95, 1]])
    normal = random.multivariate_normal([5, 5], covariance, 2000).astype(np.float32)
    test = np.array([[5, 5], [6.5, 6.5], [6.5, 3.5]], np.float32)  # the last two are equally far, one off the ridge
    scores = one_class_scores(normal, test)
    difference = test[2] - 5
    assert scores[2] == pytest.approx(np.sqrt(difference @ np.linalg.inv(covariance) @ difference), rel=0.1)
    assert scores[0] < 0.1 < scores[1] < scores[2]
    cosine = one_class_scores(np.array([[1, 0], [-1, 0], [2, 0], [-2, 0]], np.float32), test[:1] * [0, 1], "cosine")
    assert cosine[0] == pytest.approx(1, abs=1e-5)
    with pytest.raises(UsageError):
        one_class_scores(normal[:1], test)
    with pytest.raises(UsageError, match="--distance"):
        one_class_scores(normal, test, "euclid")


def test_roc_auc_counts_pairs() -> None:
    scores, strange = np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, True, False, True])
    # Of the four pairs three are right and one is a tie.
    assert roc_auc(scores, strange) == pytest.approx(3.5 / 4)
    assert np.isnan(roc_auc(scores, np.zeros(4, bool)))


def test_fusion_is_a_weighted_sum() -> None:
    assert FUSION == {"joint": 0.6, "bone": 0.6, "motion": 0.4}
    scores = {"joint": [[1.0, 0.0]], "bone": [[0.0, 1.0]], "motion": [[0.0, 0.5]]}
    np.testing.assert_allclose(fuse(scores), [[0.6, 0.8]])
    with pytest.raises(UsageError, match="depth"):
        fuse({"depth": [[1.0]]})
    with pytest.raises(UsageError):
        fuse({})
    with pytest.raises(UsageError, match="same clips"):
        fuse({"joint": [[1.0]], "bone": [[1.0], [2.0]]})
