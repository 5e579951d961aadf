"""The car around the driver: seats, wheel, doors, pillars, roof; a mid-size car with the wheel on the left."""

from __future__ import annotations

import numpy as np

from edge_c2vl.simulated import mesh
from edge_c2vl.simulated.body import Floats, turned
from edge_c2vl.simulated.mesh import Mesh

WHEEL_CENTRE = np.array([0.0, 0.235, -0.43], np.float32)
WHEEL_RADIUS = 0.185
WHEEL_TILT = 62.0  # degrees by which the wheel's plane is raised from lying flat

_DARK, _CLOTH, _LIGHT = (0.045, 0.042, 0.040), (0.13, 0.125, 0.12), (0.48, 0.50, 0.52)

# centre, size, nodding in degrees (backwards positive), colour BGR, near-infrared albedo
_BOXES = (
    # the driver's seat
    ((0.0, 0.30, 0.285), (0.47, 0.66, 0.13), 20, _CLOTH, 0.20),
    ((0.245, 0.28, 0.245), (0.09, 0.56, 0.16), 20, _DARK, 0.12),
    ((-0.245, 0.28, 0.245), (0.09, 0.56, 0.16), 20, _DARK, 0.12),
    ((0.0, 0.715, 0.39), (0.27, 0.19, 0.10), 12, _DARK, 0.14),
    ((0.0, -0.165, -0.18), (0.50, 0.15, 0.56), 8, _CLOTH, 0.20),
    ((0.27, -0.13, -0.18), (0.09, 0.14, 0.50), 8, _DARK, 0.12),
    ((-0.27, -0.13, -0.18), (0.09, 0.14, 0.50), 8, _DARK, 0.12),
    # the other front seat
    ((-0.76, 0.30, 0.285), (0.48, 0.66, 0.13), 20, _CLOTH, 0.20),
    ((-0.76, 0.715, 0.39), (0.27, 0.19, 0.10), 12, _DARK, 0.14),
    ((-0.76, -0.165, -0.18), (0.50, 0.15, 0.56), 8, _CLOTH, 0.20),
    # console, gear lever
    ((-0.38, -0.16, -0.25), (0.19, 0.20, 0.95), 0, _DARK, 0.10),
    ((-0.38, 0.00, -0.36), (0.035, 0.14, 0.035), 10, _DARK, 0.22),
    ((-0.38, 0.08, -0.35), (0.05, 0.05, 0.06), 10, _DARK, 0.30),
    # rear bench, shelf
    ((-0.38, 0.16, 0.98), (1.34, 0.62, 0.16), 18, _CLOTH, 0.18),
    ((-0.02, 0.56, 1.10), (0.26, 0.16, 0.10), 12, _DARK, 0.12),
    ((-0.74, 0.56, 1.10), (0.26, 0.16, 0.10), 12, _DARK, 0.12),
    ((-0.38, 0.44, 1.34), (1.40, 0.04, 0.40), 0, _DARK, 0.08),
    ((-0.38, -0.05, 1.10), (1.60, 0.9, 0.05), 0, _DARK, 0.08),
    # doors below the windows, sills, pillars, roof rails
    ((0.49, -0.06, 0.0), (0.10, 0.66, 1.50), 0, _DARK, 0.10),
    ((0.455, 0.05, -0.15), (0.08, 0.06, 0.55), 0, _CLOTH, 0.16),
    ((-1.25, -0.06, 0.0), (0.10, 0.66, 1.50), 0, _DARK, 0.10),
    ((0.50, -0.06, 1.05), (0.10, 0.66, 0.60), 0, _DARK, 0.10),
    ((-1.26, -0.06, 1.05), (0.10, 0.66, 0.60), 0, _DARK, 0.10),
    ((0.475, 0.55, 0.46), (0.06, 0.75, 0.13), 8, _LIGHT, 0.34),
    ((-1.235, 0.55, 0.46), (0.06, 0.75, 0.13), 8, _LIGHT, 0.34),
    ((0.44, 0.60, 1.38), (0.10, 0.72, 0.34), 25, _LIGHT, 0.34),
    ((-1.20, 0.60, 1.38), (0.10, 0.72, 0.34), 25, _LIGHT, 0.34),
    ((0.45, 0.90, 0.40), (0.14, 0.08, 2.1), 0, _LIGHT, 0.36),
    ((-1.21, 0.90, 0.40), (0.14, 0.08, 2.1), 0, _LIGHT, 0.36),
    ((-0.38, 0.955, 0.50), (1.60, 0.05, 2.0), 0, _LIGHT, 0.36),
    ((-0.38, 0.90, 1.45), (1.60, 0.08, 0.12), 0, _LIGHT, 0.36),
    # dashboard, its display, floor
    ((-0.38, 0.12, -0.90), (1.66, 0.36, 0.32), 0, _DARK, 0.09),
    ((-0.38, 0.27, -0.735), (0.27, 0.15, 0.03), 15, (0.20, 0.14, 0.08), 0.05),
    ((0.0, 0.32, -0.80), (0.34, 0.10, 0.20), 0, _DARK, 0.08),
    ((-0.38, -0.47, 0.0), (1.8, 0.05, 2.4), 0, _DARK, 0.06),
    ((-0.38, -0.20, -1.02), (1.8, 0.5, 0.05), 0, _DARK, 0.06),
)


def _rounded(size: tuple[float, ...], radius: float, step: float) -> Mesh:
    half = np.asarray(size, np.float32) / 2

    def distance(points: Floats) -> Floats:
        out = np.abs(points) - (half - radius)
        return np.linalg.norm(np.maximum(out, 0), axis=1) + np.minimum(out.max(axis=1), 0) - radius

    return mesh.surface(distance, -half - step, half + step, step)


def interior() -> Mesh:
    """Everything that stands still, in car coordinates."""
    parts = []
    for centre, size, tilt, colour, gray in _BOXES:
        smallest = min(size)
        soft = smallest >= 0.09 and max(size) < 0.8
        part = _rounded(size, 0.4 * smallest, 0.03) if soft else mesh.box(size, 6)
        parts.append(part.moved(turned(-tilt), np.array(centre, np.float32)).coloured(colour, gray))
    return mesh.join([*parts, _wheel()])


def _wheel() -> Mesh:
    rim = mesh.ring(WHEEL_RADIUS, 0.0155, 48, 10).coloured(_DARK, 0.13)
    hub = mesh.box((0.15, 0.05, 0.11), 2).coloured((0.05, 0.048, 0.046), 0.11)
    spokes = [
        mesh.box((0.12, 0.02, 0.035), 2).moved(np.eye(3, dtype=np.float32), np.array([x, 0, 0.0])).coloured(_DARK, 0.14)
        for x in (0.12, -0.12)
    ]
    low = (
        mesh.box((0.05, 0.02, 0.12), 2).moved(np.eye(3, dtype=np.float32), np.array([0, 0, 0.12])).coloured(_DARK, 0.14)
    )
    return mesh.join([rim, hub, *spokes, low]).moved(wheel_axes(), WHEEL_CENTRE)


def wheel_axes() -> Floats:
    """Columns: to the left, the column's axis towards the driver's chest, down the wheel towards the driver."""
    return turned(-WHEEL_TILT)


def wheel_point(degrees: float) -> Floats:
    """The middle of the rim, `degrees` clockwise from the top as the driver sees it."""
    angle = np.radians(degrees)
    # As the driver sees it the right hand side is at -x.
    local = np.array([-np.sin(angle), 0, -np.cos(angle)]) * WHEEL_RADIUS
    return (WHEEL_CENTRE + wheel_axes() @ local).astype(np.float32)
