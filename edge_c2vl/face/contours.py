"""Which of the attention mesh's landmarks are joined to draw a face, by number (MediaPipe's FACEMESH_CONTOURS)."""

from __future__ import annotations

from edge_c2vl.face.landmarks import EYES

OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
LIPS_OUTSIDE = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
LIPS_INSIDE = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
# Each is drawn back to its beginning.
RINGS = (OVAL, LIPS_OUTSIDE, LIPS_INSIDE, *(eye.around for eye in EYES.values()))
BROWS = ((70, 63, 105, 66, 107), (336, 296, 334, 293, 300))
NOSE = (168, 6, 197, 195, 5, 4)
LINES = (*BROWS, NOSE)
