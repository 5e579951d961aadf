"""How the face's network is made from the file in MediaPipe's wheel; see pose/build.py."""

from __future__ import annotations

from edge_c2vl.face.convert import OUTPUTS, MeshConverter
from edge_c2vl.pose.build import WHEEL, ModelSource, Recipe

NOTICE = f"""Attention mesh: landmarks of face, lips, eyes and irises
Copyright The MediaPipe Authors (Google LLC)

Licensed under the Apache License, Version 2.0; see http://www.apache.org/licenses/LICENSE-2.0 and the file LICENSE of
Edge-C2VL. So say MediaPipe's licence and the model card "MediaPipe Face Mesh, attention mesh".

The file comes from the Python package {WHEEL}. Changed for Edge-C2VL: converted from TensorFlow Lite to ONNX, with
MediaPipe's own operators written with ONNX's, and the landmarks of its outputs joined. No weight was altered.
"""
ATTENTION_MESH = Recipe(
    "Attention mesh",
    "face",
    NOTICE,
    {
        "mesh": ModelSource(
            "modules/face_landmark/face_landmark_with_attention.tflite",
            "e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4",
            OUTPUTS,
        )
    },
    MeshConverter,
    ("fp32",),
)
