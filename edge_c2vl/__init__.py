"""Edge-C2VL: driver monitoring that runs on the device in the vehicle."""

from edge_c2vl import telemetry

__version__ = "0.1.0"

telemetry.switch_off()
