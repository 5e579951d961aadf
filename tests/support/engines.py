"""An engine in a bundle's manifest."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from edge_c2vl.bundle.bundle import Bundle, Engine
from edge_c2vl.inference.engine_check import Device

PLAN = b"a plan"
ORIN = Device("Orin", "8.7", "10.3.0", "12.6")


def engine_for(bundle: Bundle, precision: str = "int8", **change: Any) -> Engine:
    """An engine as `build-engine` lists it, built on ORIN."""
    engine = Engine(
        path=f"engines/orin/model.{precision}.plan",
        device="orin",
        gpu=ORIN.gpu,
        sm=ORIN.sm,
        tensorrt=ORIN.tensorrt,
        precision=precision,
        sha256=hashlib.sha256(PLAN).hexdigest(),
        model_sha256=bundle.manifest.files[f"model.{precision}.onnx"]["sha256"],
    )
    return replace(engine, **change)
