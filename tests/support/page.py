"""What the page's tests and pictures show."""

from __future__ import annotations

from edge_c2vl.outputs.page import RunDescription
from tests.support.scripted import LABELS

ABOUT = RunDescription(lambda: "webcam 0 (640x480, 30 fps)", "onnxruntime:cpu", "int8", "a-bundle", LABELS, LABELS[1:])
# A number that changes when the canvas does.
PIXELS = """
const canvas = document.getElementById(arguments[0]);
const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
let sum = 0;
for (let index = 0; index < data.length; index += 4) sum = (sum * 31 + data[index] + 2 * data[index + 1]) % 1000003;
return sum;
"""
