"""The simulated driver as a camera: simulated[:activity,...][?option=value&...]

    simulated                                          everyday driving
    simulated:story                                    attentive, the phone at the ear, attentive again
    simulated:texting,drinking?camera=a_column_driver&look=ir&seed=3&seconds=60
    simulated:empty?camera=inner_mirror&seed=2         a car without a driver; the seed says what lies around

Options: camera (one of Drive&Act's eight), look (rgb, ir, depth, relief), driver (a number), seed, each (seconds of an
activity), seconds (end after so many), fps, size (WxH), exposure (of the infrared lamp; 0.1 is as dark as Drive&Act's
own pictures), detail (megapixels that it is drawn from: more than the usual 0.128 shows eyes better and takes
longer), live (yes: at its own pace, as a camera; no: as fast as it is read, as a file), truth (a file to which a
JSON line goes for each picture: what the driver did, and where every joint was).
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import parse_qsl

from edge_c2vl.cameras.base import Picture, PictureSource
from edge_c2vl.cameras.live import Latest
from edge_c2vl.errors import CameraError, UsageError
from edge_c2vl.simulated.film import Film, Truth
from edge_c2vl.simulated.raster import Rasteriser, rasterise

if TYPE_CHECKING:
    from edge_c2vl.cameras.options import CameraOptions
    from edge_c2vl.simulated.empty import EmptyCar

# A picture is drawn from some 0.13 megapixels, so more than this only costs time; the camera's own shape is kept.
DEFAULT_WIDTH = 640
# What stands in the place of activities where nobody drives.
EMPTY = "empty"
# How a line of the truth begins.
TRUTH_BEGINS = b'{"timestamp_s": '


@dataclass(frozen=True)
class SimulatedSettings:
    """A simulated camera's URI, read and checked."""

    activities: tuple[str, ...] = ()
    camera: str = "kinect_color"
    look: str | None = None
    driver: int = 1
    seed: int = 0
    each: float = 10.0
    seconds: float = math.inf
    fps: float = 30.0
    size: tuple[int, int] | None = None
    exposure: float = 1.0
    detail: float = 0.128
    live: bool = True
    truth: str | None = None

    @property
    def empty(self) -> bool:
        return self.activities == (EMPTY,)


def parse(uri: str) -> SimulatedSettings:
    """Raises UsageError where the URI names an option, a value or an activity that there is not."""
    from edge_c2vl.simulated.cameras import VIEWS
    from edge_c2vl.simulated.render import LOOKS
    from edge_c2vl.simulated.scripts import named

    head, _, query = uri.partition("?")
    activities = tuple(name.strip() for name in head.partition(":")[2].split(",") if name.strip())
    if activities not in (("story",), (EMPTY,)):
        activities = tuple(named(name) for name in activities)
    given: dict[str, object] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        given[name] = _option(name, value)
    settings = SimulatedSettings(activities, **given)  # type: ignore[arg-type]
    if settings.empty and settings.truth is not None:
        raise UsageError("an empty car has no driver of whom there would be a truth: leave out truth")
    if settings.camera not in VIEWS:
        raise UsageError(f"no simulated camera {settings.camera!r}: there are {', '.join(VIEWS)}")
    if settings.look is not None and settings.look not in LOOKS:
        raise UsageError(f"no look {settings.look!r} of the simulated camera: there are {', '.join(LOOKS)}")
    return settings


def _option(name: str, value: str) -> object:
    try:
        if name in ("camera", "look", "truth") and value:
            return value
        if name in ("driver", "seed") and 0 <= int(value) < 2**31:
            return int(value)
        if name in ("each", "seconds", "fps", "exposure", "detail") and 0.02 <= float(value) <= 1e6:
            return float(value)
        if name == "size":
            width, height = (int(part) for part in value.lower().split("x"))
            if 32 <= width <= 4096 and 32 <= height <= 4096:
                return width, height
        if name == "live" and value.lower() in ("yes", "no"):
            return value.lower() == "yes"
    except ValueError:
        pass
    known = "camera, look, driver, seed, each, seconds, fps, size=WxH, exposure, detail, live=yes|no, truth"
    raise UsageError(f"the simulated camera cannot use {name}={value}; its options are {known}")


def make_film(
    settings: SimulatedSettings,
    width: int | None = None,
    height: int | None = None,
    rasteriser: Rasteriser = rasterise,
) -> Film:
    """The film that a URI names: the same settings give the same pictures and truth. width, height: of the picture,
    where the settings name no size; one alone keeps the camera's shape. rasteriser: see Renderer."""
    from edge_c2vl.simulated.cameras import VIEWS
    from edge_c2vl.simulated.driver import make_driver
    from edge_c2vl.simulated.scripts import everyday, playlist, story

    view = VIEWS[settings.camera]
    width, height = _size(settings, width, height)
    if settings.activities == ("story",):
        script = story()
    elif settings.activities:
        script = playlist(list(settings.activities), settings.each)
    else:
        script = everyday(settings.seed)
    driver = make_driver(settings.driver, settings.seed)
    drawn = (width, height, settings.exposure, round(settings.detail * 1e6))
    return Film(driver, script, view, settings.look, *drawn, rasteriser)


def make_empty_car(settings: SimulatedSettings, width: int | None = None, height: int | None = None) -> EmptyCar:
    """The same of a car in which nobody sits."""
    from edge_c2vl.simulated.cameras import VIEWS
    from edge_c2vl.simulated.empty import EmptyCar

    width, height = _size(settings, width, height)
    detail = round(settings.detail * 1e6)
    view = VIEWS[settings.camera]
    return EmptyCar(settings.seed, view, settings.look, width, height, settings.exposure, detail)


def _size(settings: SimulatedSettings, width: int | None, height: int | None) -> tuple[int, int]:
    from edge_c2vl.simulated.cameras import VIEWS

    view = VIEWS[settings.camera]
    if settings.size is not None:
        return settings.size
    if width is None and height is None:
        width = min(DEFAULT_WIDTH, view.width)
    width = width or round(view.width * (height or view.height) / view.height)
    return width, height or round(view.height * width / view.width)


def open_simulated(uri: str, options: CameraOptions) -> PictureSource:
    """Raises UsageError (see `parse`), CameraError where the file for the truth cannot be written."""
    settings = parse(uri)
    make = make_empty_car if settings.empty else make_film
    film = make(settings, options.width, options.height)
    if not settings.live and not options.realtime:
        return Simulated(film, settings, live=False)
    # The film is made before: its second of work is not the camera's silence.
    return Latest(
        "the simulated camera",
        lambda: Simulated(film, settings, live=True),
        options.open_timeout_s,
        options.read_timeout_s,
    )


class Simulated(PictureSource):
    """live: a picture is of the time it is read at, and its timestamp is the monotonic clock's; whoever reads too
    slowly misses pictures. Otherwise every picture comes, timestamps count from 0."""

    def __init__(self, film: Film | EmptyCar, settings: SimulatedSettings, live: bool) -> None:
        self._film, self._settings = film, settings
        self.live = live
        self.fps = settings.fps
        self._file: IO[str] | None = None
        if settings.truth is not None:
            try:
                _refuse_other_content(Path(settings.truth))
                self._file = Path(settings.truth).open("w", encoding="utf-8")  # noqa: SIM115, closed in close()
            except OSError as error:
                raise CameraError(f"cannot write the truth to {settings.truth}: {error.strerror}") from None
        self._started_s = 0.0
        self._next = 0

    def read(self) -> Picture | None:
        if self.live:
            self._wait()
        number, self._next = self._next, self._next + 1
        time_s = number / self._settings.fps
        if time_s >= self._settings.seconds:
            return None
        picture = Picture(self._film.image(time_s), self._started_s + time_s, time.monotonic())
        if self._file is not None and isinstance(self._film, Film):
            json.dump(to_json(self._film.truth(time_s), picture.timestamp_s), self._file)
            self._file.write("\n")
            self._file.flush()
        return picture

    def _wait(self) -> None:
        """Until the next picture is due; where it is overdue, pictures are left out."""
        now_s = time.monotonic()
        if self._started_s == 0.0:
            self._started_s = now_s
        self._next = max(self._next, int((now_s - self._started_s) * self._settings.fps))
        time.sleep(max(0.0, self._started_s + self._next / self._settings.fps - now_s))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def reopen(self) -> None:
        self._started_s, self._next = 0.0, 0


def _refuse_other_content(path: Path) -> None:
    """Raises UsageError where the file holds something else than an older truth, which would be lost. OSError."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        if file.read(len(TRUTH_BEGINS)) not in (b"", TRUTH_BEGINS):
            raise UsageError(f"truth={path}: it exists and holds something else; name another file")


def to_json(truth: Truth, timestamp_s: float) -> dict[str, object]:
    """A line of the truth. joints: metres, in car coordinates; pixels: column, -row, depth and 1 where in the picture;
    both in the order of mediapipe33."""
    action, thing, place = truth.action
    return {
        "timestamp_s": round(timestamp_s, 6),
        "activity": truth.activity,
        "action": action,
        "object": thing,
        "location": place,
        "head": [[round(float(value), 5) for value in row] for row in truth.head],
        "gaze": [round(float(value), 5) for value in truth.gaze],
        "lids": round(truth.lids, 3),
        "mouth": round(truth.mouth, 3),
        "joints": [[round(float(value), 4) for value in joint] for joint in truth.car],
        "pixels": [[round(float(value), 2) for value in joint] for joint in truth.pixels],
    }
