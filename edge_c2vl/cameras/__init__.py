"""From a camera's address to frames: USB, CSI, streams, files, the simulated driver."""
