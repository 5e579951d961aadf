"""An engine in a bundle's manifest."""

from __future__ import annotations

from edge_c2vl.inference.engine_check import Device

PLAN = b"a plan"
ORIN = Device("Orin", "8.7", "10.3.0", "12.6")
