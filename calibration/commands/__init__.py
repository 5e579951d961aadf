"""Commands of the calibration; one file a command."""
