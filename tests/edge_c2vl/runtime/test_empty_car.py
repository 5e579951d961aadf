"""A car without a driver, through the real pose network and the default bundle."""

from __future__ import annotations

import pytest

from edge_c2vl.monitoring.events import Missing
from edge_c2vl.monitoring.policy import State
from edge_c2vl.monitoring.standing import Reason
from edge_c2vl.runtime.run import watch
from edge_c2vl.runtime.settings import RunSettings
from tests.support.pipeline import Kept


@pytest.mark.parametrize(
    "view",
    [
        "camera=inner_mirror&look=ir&seed=3",
        pytest.param("camera=a_column_co_driver&look=rgb&seed=4", marks=pytest.mark.slow),
    ],
)
def test_an_empty_car_alerts_of_nothing_but_nobody(view):
    kept = Kept()
    camera = f"simulated:empty?{view}&live=no&fps=4&seconds=11&size=240x192&detail=0.04"
    watch(RunSettings.of(camera=camera, quiet=True, min_detection=0.15), [kept])
    assert {decision.state for decision in kept.decisions} == {State.STARTING, State.NOBODY}
    assert kept.decisions[-1].missing is Missing.DRIVER
    assert {alert.reason for alert in kept.alerts} == {Reason.CANNOT_SEE}
