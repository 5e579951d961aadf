"""Thresholds against what is known of them: the largest value, quantiles, the optimum for a Gaussian."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.ranges import BINS, METHODS, CalibrationError, Histogram, observe, thresholds


def histogram(values: np.ndarray) -> Histogram:
    counts, _ = np.histogram(np.abs(values), BINS, (0, float(np.abs(values).max())))
    return Histogram(float(np.abs(values).max()), counts)


def threshold(values: np.ndarray, method: str) -> float:
    return thresholds({"x": histogram(values)}, method)["x"]


GAUSSIAN = np.random.default_rng(0).normal(size=400_000)


def test_histograms_have_at_least_2048_bins() -> None:
    assert BINS >= 2048


def test_minmax_is_the_largest_magnitude() -> None:
    assert threshold(GAUSSIAN, "minmax") == np.abs(GAUSSIAN).max()


def test_percentile_is_the_quantile() -> None:
    expected = np.quantile(np.abs(GAUSSIAN), 0.9999)
    assert threshold(GAUSSIAN, "percentile") == pytest.approx(expected, rel=0.01)


def test_mse_is_the_optimum_known_for_a_gaussian() -> None:
    # Banner et al., "Post training 4-bit quantization" (NeurIPS 2019), give 3.92 standard deviations for 8 bits.
    assert threshold(GAUSSIAN, "mse") == pytest.approx(3.92, rel=0.05)


def test_mse_is_the_best_of_all_thresholds() -> None:
    values = np.random.default_rng(1).laplace(size=20_000)

    def error(limit: float) -> float:
        step = limit / 127
        return float(((np.clip(np.round(values / step), -127, 127) * step - values) ** 2).mean())

    best = min(error(limit) for limit in np.linspace(0.1, np.abs(values).max(), 500))
    assert error(threshold(values, "mse")) <= 1.02 * best


def test_an_outlier_does_not_cost_everybody_resolution() -> None:
    outlier = np.append(GAUSSIAN, 40.0)
    assert threshold(outlier, "minmax") == 40
    assert threshold(outlier, "percentile") < 5
    assert threshold(outlier, "entropy") < 8
    # n (t / 127)^2 / 12 of rounding plus (40 - t)^2 of clipping is least at:
    assert threshold(outlier, "mse") == pytest.approx(40 / (1 + len(GAUSSIAN) / 127**2 / 12), rel=0.05)


def test_entropy_clips_a_long_tail_and_keeps_a_flat_distribution() -> None:
    random = np.random.default_rng(0)
    tail = np.abs(np.append(random.normal(size=200_000), random.normal(size=200) * 8))
    flat = random.uniform(size=200_000)
    assert threshold(tail, "entropy") < 0.6 * tail.max()
    assert threshold(flat, "entropy") > 0.95


@pytest.mark.parametrize("method", METHODS)
def test_a_tensor_of_zeros_has_a_threshold(method: str) -> None:
    counts = np.zeros(BINS, np.int64)
    counts[0] = 100
    assert thresholds({"x": Histogram(0.0, counts)}, method)["x"] > 0


def test_observe_counts_what_numpy_counts() -> None:
    batches = np.random.default_rng(0).normal(size=(3, 4, 50)).astype(np.float32)
    found = observe(lambda batch: [batch, 2 * batch], ["one", "two"], lambda: iter(batches))
    for scale, name in ((1, "one"), (2, "two")):
        largest = float(np.abs(scale * batches).max())
        assert found[name].largest == pytest.approx(largest)
        assert found[name].counts.sum() == batches.size
        expected, _ = np.histogram(np.abs(scale * batches), BINS, (0, largest))
        # A value on an edge may fall on either side of it.
        assert np.abs(np.cumsum(found[name].counts) - np.cumsum(expected)).max() <= 2


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_what_is_not_finite_is_named(broken: float) -> None:
    batch = np.ones((1, 4), np.float32)
    with pytest.raises(CalibrationError, match="tensor two is not finite"):
        observe(lambda given: [given, given * np.float32(broken)], ["one", "two"], lambda: [batch])
