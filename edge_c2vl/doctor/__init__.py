"""Checks whether `edge-c2vl run` can work on this machine, and says what to install where it cannot."""
