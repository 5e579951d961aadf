"""Which body is the driver's, by scripted time lines."""

from __future__ import annotations

import numpy as np
import pytest

from edge_c2vl.monitoring.body_watch import CONFIRMED_S, REMEMBERED_S, BodyWatch
from tests.support.seated import seated

SIZE, FPS = (640, 480), 15


def play(watch, *acts, start_s=0.0):
    """acts: (seconds, skeleton or None). The looks and their times."""
    looks, time_s = [], start_s
    for seconds, skeleton in acts:
        for _ in range(round(seconds * FPS)):
            looks.append((time_s, watch.look(skeleton, None, SIZE, time_s)))
            time_s += 1 / FPS
    return looks


def test_a_body_is_the_drivers_after_a_second():
    looks = play(BodyWatch(), (2.0, seated(*SIZE)))
    first = next(time_s for time_s, look in looks if look.driver)
    assert first == pytest.approx(CONFIRMED_S, abs=1.5 / FPS)
    assert all(look.skeleton is not None for _, look in looks)
    assert [look.forget_before_s for _, look in looks if look.forget_before_s is not None] == [0.0]


def test_a_phantom_before_the_driver_is_taken_out_of_the_window():
    headrest, driver = seated(*SIZE, (0.3, -0.3), 0.5), seated(*SIZE)
    looks = play(BodyWatch(), (0.5, headrest), (1.5, driver))
    came = next(look for time_s, look in looks if time_s > 0.49)
    assert came.forget_from_s == 0.0
    confirmed = next(look for _, look in looks if look.driver)
    assert confirmed.forget_before_s == pytest.approx(0.5, abs=0.1)


def test_a_moment_on_the_passenger_does_not_make_another_driver():
    passenger, driver = seated(*SIZE, (-0.35, 0.0), 0.8), seated(*SIZE)
    looks = play(BodyWatch(), (3.0, driver), (0.5, passenger), (1.0, driver))
    assert not any(look.driver for time_s, look in looks if 3.0 < time_s < 3.45)
    back = next(look for _, look in looks if look.forget_from_s is not None)
    assert back.driver
    assert back.forget_from_s == pytest.approx(3.0, abs=0.1)
    assert looks[-1][1].driver


def test_bones_of_another_length_are_not_the_drivers():
    headrest, driver = seated(*SIZE, (0.0, -0.1), 0.5), seated(*SIZE)
    looks = play(BodyWatch(), (3.0, driver), (0.5, headrest), (1.0, driver))
    during = [look for time_s, look in looks if 3.01 < time_s < 3.45]
    assert {(look.skeleton is None, look.driver, look.why) for look in during} == {(True, True, "other size")}
    assert looks[-1][1].skeleton is not None


def test_another_driver_is_confirmed_anew_and_nothing_is_left_of_the_first():
    first, second = seated(*SIZE), seated(*SIZE, (-0.25, 0.0), 0.55)
    looks = play(BodyWatch(), (3.0, first), (4.0, second))
    confirmed = [(time_s, look) for time_s, look in looks if look.forget_before_s]
    assert len(confirmed) == 1
    # Until the first is forgotten, bones of another length are not taken for anybody's.
    assert confirmed[0][0] == pytest.approx(3.0 + REMEMBERED_S + CONFIRMED_S, abs=0.2)
    assert confirmed[0][1].forget_before_s == pytest.approx(3.0 + REMEMBERED_S, abs=0.1)


def test_a_flickering_phantom_is_never_confirmed():
    generator = np.random.default_rng(0)
    watch = BodyWatch()
    for frame in range(300):
        body = seated(*SIZE, generator.uniform(-0.3, 0.3, 2), generator.uniform(0.3, 1.0))
        assert not watch.look(body, None, SIZE, frame / FPS).driver


def test_a_driver_may_lean_over_and_drop_out_of_view_for_a_moment():
    watch = BodyWatch()
    play(watch, (3.0, seated(*SIZE)))
    lean = [(1 / FPS, seated(*SIZE, (0.3 * share, 0.1 * share))) for share in np.linspace(0, 1, 8)]
    looks = play(watch, *lean, (0.5, None), (1.0, lean[-1][1]), start_s=3.0)
    assert all(look.driver for _, look in looks)
    assert all(look.forget_from_s is None and look.forget_before_s is None for _, look in looks)


def test_who_comes_after_a_while_is_confirmed_first():
    looks = play(BodyWatch(), (3.0, seated(*SIZE)), (REMEMBERED_S + 0.5, None), (1.5, seated(*SIZE)))
    again = [look.driver for time_s, look in looks if time_s > 5.5]
    assert not again[0]
    assert again[-1]


def test_a_body_that_cannot_be_says_why_and_leaves_nothing():
    lying = seated(*SIZE)[:, [1, 0, 2, 3]] * np.array([-1, -1, 1, 1], np.float32)
    for _, look in play(BodyWatch(), (2.0, lying)):
        assert (look.skeleton, look.driver, look.why) == (None, False, "lying")
