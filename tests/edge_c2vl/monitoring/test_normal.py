"""Normality of a driver: fitting, distance, files, learning in a run, somebody else."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.monitoring.apply_baseline import Attention, Personaliser
from edge_c2vl.monitoring.driver_baseline import (
    MAX_STRANGENESS,
    MIN_WINDOWS,
    DriverBaseline,
    DriverWatch,
    Learner,
    fit,
    posture,
    sizes,
)
from edge_c2vl.monitoring.standing import Level, Reason
from edge_c2vl.speed.base import FixedSpeed, Speed
from tests.support.pipeline import Camera, Encoder, Kept, Pose, build
from tests.support.windows import DISTRACTION, window


@pytest.fixture(scope="module")
def normal():
    windows = [window(seed=seed) for seed in range(120)]
    places, lengths = np.array([w.place for w in windows]), np.stack([sizes(w) for w in windows])
    return fit(np.stack([posture(w.data) for w in windows]), places, lengths)


def test_posture_is_mean_and_spread_over_the_frames_seen():
    data = np.zeros((3, 4, 25), np.float32)
    data[0, :, 3] = (1, 2, 3, 0)
    data[1, :, 3] = (5, 5, 5, 0)
    values = posture(data).reshape(4, 25)
    np.testing.assert_allclose(values[:, 3], (2, 5, np.std([1, 2, 3]), 0))
    assert np.isnan(values[:, 4]).all()
    data[:, 2, 3] = 0
    assert np.isnan(posture(data).reshape(4, 25)[2:, 3]).all()


def test_what_is_usual_is_near_and_a_raised_arm_is_far(normal):
    ordinary = [normal.distance(window(seed=seed).data) for seed in range(200, 220)]
    assert 0.5 < np.median(ordinary) < 1.6
    distances = [normal.distance(window(lean=lean, seed=5).data) for lean in (0, 0.2, 0.5, 1.0)]
    assert distances == sorted(distances)
    assert distances[-1] > 3
    assert normal.unusual(window(lean=1.0).data) == 1.0
    assert normal.unusual(window(seed=7).data) < 1.0


def test_joints_that_are_hidden_count_as_normal(normal):
    assert normal.distance(window(lean=1.0, seed=5, hidden=range(8, 12)).data) < 2


def test_distance_moves_the_odds_within_bounds(normal):
    before = {"attentive": 0.5, "distracted": 0.5}
    usual, far = window(seed=300).data, window(lean=3.0).data
    assert normal.adjust(before, DISTRACTION, far)["distracted"] == pytest.approx(1 / (1 + np.exp(-2)))
    assert abs(normal.adjust(before, DISTRACTION, usual)["distracted"] - 0.5) < 0.15
    for clip in (usual, far, np.zeros((3, 32, 25), np.float32)):
        assert sum(normal.adjust(before, DISTRACTION, clip).values()) == pytest.approx(1)


def test_a_file_survives_and_is_private(normal, tmp_path):
    path = tmp_path / "driver.npz"
    normal.save(path)
    again = DriverBaseline.load(path)
    clip = window(lean=0.3).data
    assert again.distance(clip) == normal.distance(clip)
    assert path.stat().st_mode & 0o077 == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["driver.npz"]


@given(st.data())
def test_a_damaged_file_is_refused_by_one_error(normal, tmp_path_factory, data):
    path = tmp_path_factory.mktemp("normal") / "driver.npz"
    normal.save(path)
    content = bytearray(path.read_bytes())
    cut = data.draw(st.integers(0, len(content)))
    junk = data.draw(st.binary(max_size=20))
    path.write_bytes(content[:cut] + junk)
    with contextlib.suppress(EdgeC2VLError):
        # A zip file bears junk behind its end: then it is what was saved.
        assert DriverBaseline.load(path).distance(window(lean=0.3).data) == normal.distance(window(lean=0.3).data)


def test_no_pickle_is_opened(tmp_path):
    path = tmp_path / "driver.npz"
    np.savez(path, format_version=1, used=np.array([object()], dtype=object))
    with pytest.raises(EdgeC2VLError, match="no learnt normality"):
        DriverBaseline.load(path)


def test_a_file_that_is_not_there_says_how_to_learn(tmp_path):
    with pytest.raises(EdgeC2VLError, match="--learn-normal MINUTES"):
        DriverBaseline.load(tmp_path / "nowhere.npz")


def test_learning_takes_the_time_it_was_told_and_gaps_do_not_count():
    learner = Learner(minutes=1.0)
    for index in range(50):
        learner.add(window(seed=index), index * 1.0)
    learner.add(window(), 1000.0)
    assert learner.learnt_s == pytest.approx(49)
    assert not learner.done
    for index in range(12):
        learner.add(window(seed=index), 1001.0 + index)
    assert learner.done
    assert isinstance(learner.finish(), DriverBaseline)


def test_too_little_is_told():
    learner = Learner(minutes=0.1)
    learner.add(window(), 0.0)
    with pytest.raises(EdgeC2VLError, match=f"{MIN_WINDOWS} are needed"):
        learner.finish()


@pytest.mark.parametrize(
    ("place", "moved"),
    [((310.0, -205.0, 105.0), False), ((420.0, -200.0, 100.0), True), ((300.0, -200.0, 140.0), True)],
    ids=["same driver", "sits elsewhere", "looks larger"],
)
def test_somebody_else_is_noticed_after_half_a_minute(normal, place, moved):
    watch = DriverWatch(normal)
    verdicts = [watch.moved(window(place=place), float(now)) for now in range(40)]
    assert not any(verdicts[:25])
    assert all(verdict is moved for verdict in verdicts[30:])


def test_somebody_of_other_proportions_is_noticed_in_the_same_place(normal):
    for broad, moved in ((1.02, False), (1.4, True)):
        watch = DriverWatch(normal)
        assert [watch.moved(window(broad=broad, seed=now), float(now)) for now in range(40)][-1] is moved


def test_bones_that_are_not_seen_tell_nothing(normal):
    assert normal.strangeness(np.full(5, np.nan)) == 0
    assert normal.strangeness(sizes(window(broad=1.4, hidden=(3, 4, 8)))) == 0
    assert not DriverWatch(normal).moved(window(hidden=range(25)), 0.0)


def test_a_call_of_a_minute_is_the_same_driver(normal, tmp_path):
    normal.save(tmp_path / "driver.npz")
    personaliser = Personaliser(str(tmp_path / "driver.npz"))
    on_the_phone = {"attentive": 0.1, "distracted": 0.9}
    assert normal.strangeness(sizes(window(lean=1.0))) > MAX_STRANGENESS
    for now in range(60):
        seen = personaliser.look(window(lean=1.0, seed=now), float(now), on_the_phone, DISTRACTION)
        assert not seen.elsewhere


def test_leaning_over_for_a_moment_is_nobody_else(normal):
    watch = DriverWatch(normal)
    places = [(300.0, -200.0, 100.0)] * 30 + [(420.0, -200.0, 100.0)] * 10 + [(300.0, -200.0, 100.0)] * 30
    assert not any(watch.moved(window(place=place), float(now)) for now, place in enumerate(places))


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """What a run of 50 s without a source of the speed has learnt, and its decisions."""
    path, kept = tmp_path_factory.mktemp("normal") / "driver.npz", Kept()
    build(Camera(600, fps=12), Moving(), Encoder(-3.0), sinks=[kept], personaliser=Personaliser(str(path), 0.5)).run()
    return path, kept


def test_learnt_in_a_run_and_applied_from_then_on(learnt):
    path, kept = learnt
    unusual = [decision.unusual for decision in kept.decisions]
    assert unusual[0] is None
    assert unusual[-1] is not None
    assert isinstance(DriverBaseline.load(path), DriverBaseline)
    again = Kept()
    build(Camera(120, fps=12), Moving(), sinks=[again], personaliser=Personaliser(str(path))).run()
    judged = [decision for decision in again.decisions if decision.label]
    assert all(decision.unusual is not None for decision in judged)


def test_the_face_is_kept_with_it_and_a_file_from_before_has_none(normal, tmp_path):
    numbers = np.arange(12.0)
    path = tmp_path / "driver.npz"
    normal.save(path)
    assert np.isnan(Personaliser(str(path)).kept_face()).all()
    learning = Personaliser(str(path), 0.5)
    learning.keep_face(numbers)  # nothing is learnt yet that it could be added to
    for now in range(40):
        learning.learn(window(seed=now), float(now), Attention.PLAIN, -3.0)
    learning.keep_face(numbers)
    learning.close()
    again = Personaliser(str(path))
    np.testing.assert_array_equal(again.kept_face(), numbers)
    assert again.kept_face() is None
    with np.load(path) as file:
        before = {name: file[name] for name in file.files if name != "face"} | {"format_version": 2}
    np.savez(path, **before)
    assert np.isnan(DriverBaseline.load(path).face).all()


class Moving(Pose):
    def __init__(self, shift=0.0):
        super().__init__()
        self._generator, self._shift = np.random.default_rng(1), shift

    def estimate(self, image_bgr, timestamp_s):
        body = super().estimate(image_bgr, timestamp_s).copy()
        body[:, :2] += self._generator.normal(0, 0.5, (33, 2))
        body[:, 0] += self._shift
        return body.astype(np.float32)


def test_another_driver_is_asked_to_be_learnt_and_alerted_all_the_same(learnt):
    path, kept = str(learnt[0]), Kept()
    build(Camera(600, fps=12), Moving(shift=14.0), sinks=[kept], personaliser=Personaliser(path)).run()
    told = [alert for alert in kept.alerts if alert.reason is Reason.ELSEWHERE]
    assert [alert.level for alert in told] == [Level.NOTICE, Level.NONE]
    assert next(iter(told[0].alerts.items())) == (Reason.LONG, Level.CRITICAL)
    assert told[0].alerts[Reason.ELSEWHERE] is Level.NOTICE


class PhonesFrom(Encoder):
    """Says attentive for so many windows, and then distracted."""

    def __init__(self, windows, then=3.0):
        super().__init__(-3.0)
        self._windows, self._then = windows, then

    def _infer(self, clip):
        if len(self.clips) >= self._windows:
            self._score = self._then
        return super()._infer(clip)


def test_phoning_is_never_learnt_as_normal_driving(tmp_path, caplog):
    path = tmp_path / "driver.npz"
    personaliser = Personaliser(str(path), 0.5)
    # 20 s of attention, then a call for the other 60.
    build(Camera(960, fps=12), Moving(), PhonesFrom(80), sinks=[], personaliser=personaliser).run()
    assert not path.exists()
    assert personaliser.learning
    why = personaliser.unfinished()
    assert f"{path} was not written" in why
    assert "looked attentive, without an alert and at speed, in 1" in why


def test_what_was_left_out_while_learning_is_told(tmp_path, caplog):
    path = tmp_path / "driver.npz"
    learner = Learner(minutes=0.5)
    for second in range(60):
        learner.add(window(seed=second), float(second), attentive=not 10 <= second < 20)
        if learner.done:
            break
    # The windows of the last seconds before the call go with it.
    assert learner.left_out_s == pytest.approx(13, abs=1.1)
    assert second == pytest.approx(30 + 13, abs=1.1)
    assert "13 s were left out" in learner.told() or "12 s were left out" in learner.told()
    personaliser = Personaliser(str(path), 0.5)
    for quarter in range(240):
        personaliser.learn(
            window(seed=quarter), quarter / 4, Attention.NONE if 40 <= quarter < 80 else Attention.PLAIN, -3.0
        )
    assert path.exists()
    assert "s were left out" in caplog.text


def test_too_small_a_share_of_attention_is_refused():
    learner = Learner(minutes=0.5)
    for second in range(600):
        learner.add(window(seed=second), float(second), attentive=second % 60 < 12)
    assert learner.learnt_s > 60
    assert not learner.done
    with pytest.raises(EdgeC2VLError, match="25% are needed"):
        learner.finish()


@pytest.mark.parametrize(
    ("speed", "learns"),
    [(Speed(), False), (FixedSpeed(0.0), False), (FixedSpeed(60.0), True)],
    ids=["never told", "standing still", "driving"],  # without a source: `learnt`
)
def test_normal_driving_is_learnt_at_speed_where_there_is_a_speed(tmp_path, speed, learns):
    path = tmp_path / "driver.npz"
    build(Camera(600, fps=12), Moving(), Encoder(-3.0), personaliser=Personaliser(str(path), 0.5), speed=speed).run()
    assert path.exists() is learns


def test_forgetting_removes_the_file(normal, tmp_path):
    path = tmp_path / "driver.npz"
    normal.save(path)
    Personaliser(str(path), forget=True)
    assert not path.exists()


def test_learning_needs_a_file():
    with pytest.raises(ValueError, match="into a file"):
        Personaliser(None, 2.0)


@pytest.mark.parametrize(("minutes", "forget"), [(1.0, False), (None, True), (None, False)])
def test_a_folder_in_the_files_place_is_told_before_anything_is_learnt(tmp_path, minutes, forget):
    with pytest.raises(UsageError, match="that is a folder"):
        Personaliser(str(tmp_path), minutes, forget)
    assert tmp_path.is_dir()
    assert not list(tmp_path.iterdir())
