"""Where this driver's head and hands are while driving attentively: the baseline that slumping departs from, and by
which both hands are known to be on the wheel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_c2vl.monitoring.driver_baseline import LEFT_OUT_BEFORE_S
from edge_c2vl.monitoring.held_back import HeldBack
from edge_c2vl.pose.base import Floats
from edge_c2vl.skeletons.clip import Clip
from edge_c2vl.skeletons.skeleton import NTU25

POINTS = [NTU25.index(name) for name in ("head", "left_wrist", "right_wrist")]
# So many windows are learnt from, one a second.
WINDOWS, STEP_S = 60, 1.0
# A point is where it was in the newest part of a window, as a share of it, and has to be seen in half of that.
NEWEST = 1 / 3
# Shoulder breadths: a hand so near to where it is while driving is on the wheel; a head that moves less is still.
NEAR, STILL = 0.6, 0.15


@dataclass(frozen=True)
class SeatedPosture:
    """places: (3, 2) of head, left and right wrist in the picture, NaN where not seen; moves: by how much the head
    does, both in the source's own units. unit: of the body (Clip.place)."""

    places: Floats
    moves: float
    unit: float


def posture_of(clip: Clip) -> SeatedPosture | None:
    """None where nobody was seen."""
    if clip.place is None:
        return None
    x, y, unit = clip.place
    frames = max(2, round(clip.data.shape[1] * NEWEST))
    points = clip.data[:, -frames:, POINTS].astype(np.float64)
    seen = np.abs(points).sum(axis=0) > 0
    places = np.full((len(POINTS), 2), np.nan)
    for index in range(len(POINTS)):
        if seen[:, index].mean() >= 0.5:
            places[index] = np.median(points[:2, seen[:, index], index], axis=1) * unit + (x, y)
    head = points[:2, seen[:, 0], 0]
    moves = float(np.hypot(*head.std(axis=1))) * unit if head.shape[1] > 1 else np.inf
    return SeatedPosture(places, moves, unit)


class PostureBaseline:
    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begins anew."""
        self._kept: list[SeatedPosture] = []
        self._held_back: HeldBack[SeatedPosture] = HeldBack(LEFT_OUT_BEFORE_S)
        self._last_s = -np.inf
        self._places: Floats | None = None
        self._unit = 1.0

    @property
    def learnt(self) -> float:
        """The share of what is to be learnt that has been, 0 to 1."""
        return min(1.0, len(self._kept) / WINDOWS)

    def learn(self, time_s: float, posture: SeatedPosture) -> None:
        """One that may be learnt from, at rising times."""
        if self._places is not None or 0 <= time_s - self._last_s < STEP_S - 0.01:
            return
        self._last_s = time_s
        self._kept += self._held_back.add(time_s, posture)
        if self.learnt < 1:
            return
        places = np.stack([one.places for one in self._kept])
        often = np.isfinite(places).mean(axis=0) >= 0.5
        self._unit = float(np.median([one.unit for one in self._kept]))
        self._places = np.where(often, np.nanmedian(np.where(often, places, 0.0), axis=0), np.nan)

    def leave_out(self) -> None:
        """The driver may not be learnt from now, and what was seen just before is left out too."""
        self._held_back.clear()

    def sunk(self, posture: SeatedPosture | None) -> float | None:
        """How far the head is below its own place, in shoulder breadths, while it is still; 0 while it moves. None
        where that cannot be told."""
        if posture is None or self._places is None:
            return None
        sunk = (self._places[0, 1] - posture.places[0, 1]) / self._unit
        if not np.isfinite(sunk):
            return None
        return float(sunk) if posture.moves < STILL * self._unit else 0.0

    def hands_on_wheel(self, posture: SeatedPosture | None) -> bool:
        """Whether both hands are where they are while this driver drives attentively."""
        if posture is None or self._places is None:
            return False
        away = np.hypot(*(posture.places[1:] - self._places[1:]).T) / self._unit
        return bool((away < NEAR).all())
