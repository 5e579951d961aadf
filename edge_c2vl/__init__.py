"""Edge-C2VL: driver monitoring that runs on the device in the vehicle."""

__version__ = "0.1.0"
