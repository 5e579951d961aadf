"""Follows the driver's face from picture to picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.face import region as regions
from edge_c2vl.face.eyes import Eye, read_eye
from edge_c2vl.face.head_pose import HeadPose, head_pose
from edge_c2vl.face.landmarks import FoundFace, MeshFinder
from edge_c2vl.face.mouth import mouth_mm
from edge_c2vl.face.networks import open_mesh
from edge_c2vl.pose.base import Floats
from edge_c2vl.pose.networks import Network
from edge_c2vl.pose.region import Region
from edge_c2vl.skeletons.skeleton import Array

MIN_PRESENCE = 0.5
# Landmarks that lie so far from a rigid face (HeadPose.error) have slipped off it, as they do while a head is turned
# too far from the camera. Followed from there they may stay off when it is back.
SLIPPED = 0.1


@dataclass(frozen=True)
class Face:
    """What one picture shows. presence: 0 to 1. points: (478, 3) in pixels. mouth_mm: between the lips."""

    presence: float
    points: Floats
    head: HeadPose
    left: Eye
    right: Eye
    mouth_mm: float

    @property
    def eyes(self) -> tuple[Eye, ...]:
        """Those that can be seen."""
        return tuple(eye for eye in (self.left, self.right) if eye.seen)

    @property
    def gap_mm(self) -> float | None:
        """Between the lids, the better eye's more; None where no eye can be seen."""
        if not self.eyes:
            return None
        return float(np.average([eye.gap_mm for eye in self.eyes], weights=[eye.weight for eye in self.eyes]))

    @property
    def gaze(self) -> Floats | None:
        """Where the eyes look together, (3,) in the camera's axes, unit length; None where no eye can be seen."""
        if not self.eyes:
            return None
        together = np.sum([eye.weight * eye.gaze for eye in self.eyes], axis=0)
        unit: Floats = together / np.linalg.norm(together)
        return unit


class FaceTracker:
    """From the pose to the face, then from each picture's face to the next one's, for as long as it is a face's.

    network: of open_mesh. focal_px: the camera's; None: that of a usual camera, see head_pose.default_focal."""

    def __init__(self, network: Network, focal_px: float | None = None) -> None:
        self._network, self._focal_px = network, focal_px
        self._finder = MeshFinder(network)
        self.reset()

    @classmethod
    def open(cls, providers: Sequence[str] = ("cpu",), threads: int = 1, focal_px: float | None = None) -> FaceTracker:
        """Raises BundleError, UsageError; see open_mesh."""
        _, network = open_mesh(providers, threads)
        return cls(network, focal_px)

    def reset(self) -> None:
        self._region: Region | None = None

    def close(self) -> None:
        self._network.close()

    def look(self, image_bgr: NDArray[np.uint8], skeleton: Array | None) -> Face | None:
        """The face in a picture (H, W, 3), or None where there is none to be seen. skeleton: the driver's pose in it,
        mediapipe33 (33, 4) in pixels; None: nobody's was found, and no face is looked for."""
        found = None if skeleton is None else self._find(image_bgr, skeleton)
        if found is None:
            self._region = None
            return None
        face = read_face(image_bgr, found, self._focal_px)
        slipped = face is None or face.head.error > SLIPPED
        self._region = None if slipped else regions.from_landmarks(found.points)
        return face

    def _find(self, image_bgr: NDArray[np.uint8], skeleton: Array) -> FoundFace | None:
        if self._region is not None and regions.belongs_to(self._region, skeleton):
            found = self._finder.find(image_bgr, self._region)
            if self._is_face(found):
                return found
        place = regions.from_pose(skeleton)
        if place is None:
            return None
        found = self._finder.find(image_bgr, place)
        if not self._is_face(found):
            return None
        # The pose's region is rough; the face's own is what the network was trained on.
        again = self._finder.find(image_bgr, regions.from_landmarks(found.points))
        return again if self._is_face(again) else None

    @staticmethod
    def _is_face(found: FoundFace) -> bool:
        return found.presence > MIN_PRESENCE and bool(np.isfinite(found.points).all())


def read_face(image_bgr: NDArray[np.uint8], found: FoundFace, focal_px: float | None = None) -> Face | None:
    """Everything that the landmarks in a picture (H, W, 3) tell; None where they are no face's."""
    height, width = image_bgr.shape[:2]
    head = head_pose(found.points, width, height, focal_px)
    if head is None:
        return None
    left, right = (read_eye(image_bgr, found.points, head, side) for side in ("left", "right"))
    return Face(found.presence, found.points, head, left, right, mouth_mm(found.points, head))
