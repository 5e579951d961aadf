"""A face made of landmarks whose pose, lids and gaze are known, and MediaPipe's own graph for one region."""

from __future__ import annotations

import math

import numpy as np

from edge_c2vl.face.eyes import BALL_DEPTH, IRIS_RADIUS
from edge_c2vl.face.head_pose import NUMBERS, PLACES, default_focal
from edge_c2vl.face.landmarks import COUNT, EYES, LIPS, FoundFace
from edge_c2vl.face.tracker import Face, read_face
from edge_c2vl.pose.region import Region

WIDTH, HEIGHT = 640, 480


def turned(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """The rotation of a head turned to its left, then up, then tilted to its left, degrees."""
    y, p, r = np.radians([yaw, pitch, roll])
    tilt = np.array([[math.cos(r), math.sin(r), 0], [-math.sin(r), math.cos(r), 0], [0, 0, 1]])
    nod = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
    turn = np.array([[math.cos(y), 0, -math.sin(y)], [0, 1, 0], [math.sin(y), 0, math.cos(y)]])
    return turn @ nod @ tilt


def landmarks(
    rotation: np.ndarray | None = None,
    position: tuple[float, float, float] = (0.0, 0.0, 0.7),
    gap_mm: float = 8.0,
    gaze: tuple[float, float] = (0.0, 0.0),
    mouth_mm: float = 0.0,
) -> np.ndarray:
    """(478, 3), as a pinhole camera of the usual field of view sees them. gaze: of the eyes in the head, degrees to the
    left and up."""
    rotation = np.eye(3) if rotation is None else rotation
    places = np.zeros((COUNT, 3))
    places[NUMBERS] = PLACES
    look = turned(*gaze) @ [0, 0, -1]
    for numbers in EYES.values():
        corners = places[[numbers.outer, numbers.inner]]
        middle = corners.mean(axis=0)
        places[list(numbers.around)] = middle
        places[[numbers.outer, numbers.inner]] = corners
        for lids, side in ((numbers.upper, 0.5), (numbers.lower, -0.5)):
            places[list(lids)] = middle + np.array([0, side * gap_mm / 1000, 0])
        places[list(numbers.iris)] = middle + np.array([0, 0, BALL_DEPTH]) + IRIS_RADIUS * look
    for number, side in zip(LIPS, (0.5, -0.5), strict=True):
        places[number] = [0, -0.045 + side * mouth_mm / 1000, -0.012]
    seen = places @ rotation.T + position
    focal = default_focal(WIDTH, HEIGHT)
    points = np.zeros((COUNT, 3))
    points[:, 0] = WIDTH / 2 + focal * seen[:, 0] / seen[:, 2]
    points[:, 1] = HEIGHT / 2 - focal * seen[:, 1] / seen[:, 2]
    return points


def a_face(rotation: np.ndarray | None = None) -> Face:
    """A face that looks into the camera, or is turned, in a grey picture of WIDTH x HEIGHT."""
    face = read_face(np.full((HEIGHT, WIDTH, 3), 150, np.uint8), FoundFace(1.0, landmarks(rotation)))
    assert face is not None
    return face


class MediaPipeFace:
    """MediaPipe's graph for the landmarks of a face in a region that is given."""

    GRAPH = """
    input_stream: "image"
    input_stream: "region"
    input_side_packet: "attention"
    output_stream: "landmarks"
    node {
      calculator: "FaceLandmarkCpu"
      input_stream: "IMAGE:image"
      input_stream: "ROI:region"
      input_side_packet: "WITH_ATTENTION:attention"
      output_stream: "LANDMARKS:landmarks"
    }
    """

    def __init__(self) -> None:
        import mediapipe
        from mediapipe.python import packet_creator
        from mediapipe.python._framework_bindings import calculator_graph, resource_util

        resource_util.set_resource_dir(mediapipe.__file__.rpartition("/mediapipe/")[0])
        self._answer, self._time_us = None, 0
        self._graph = calculator_graph.CalculatorGraph(graph_config=self.GRAPH)
        self._graph.observe_output_stream("landmarks", self._keep, False)
        self._graph.start_run({"attention": packet_creator.create_bool(True)})

    def _keep(self, _name: str, packet) -> None:
        self._answer = packet

    def find(self, image_bgr: np.ndarray, region: Region) -> np.ndarray | None:
        """(478, 3) in pixels, or None where it finds no face."""
        from mediapipe.framework.formats import rect_pb2
        from mediapipe.python import packet_creator, packet_getter
        from mediapipe.python._framework_bindings.image_frame import ImageFormat

        height, width = image_bgr.shape[:2]
        rect = rect_pb2.NormalizedRect(
            x_center=region.x / width,
            y_center=region.y / height,
            width=region.size / width,
            height=region.size / height,
            rotation=region.angle,
        )
        self._time_us += 1000
        rgb = np.ascontiguousarray(image_bgr[..., ::-1])
        image = packet_creator.create_image_frame(image_format=ImageFormat.SRGB, data=rgb)
        self._answer = None
        self._graph.add_packet_to_input_stream("image", image.at(self._time_us))
        self._graph.add_packet_to_input_stream("region", packet_creator.create_proto(rect).at(self._time_us))
        self._graph.wait_until_idle()
        if self._answer is None or self._answer.is_empty():
            return None
        found = packet_getter.get_proto(self._answer).landmark
        return np.array([[point.x * width, point.y * height, point.z * width] for point in found])

    def close(self) -> None:
        self._graph.close_all_packet_sources()
        self._graph.wait_until_done()
