"""The machine that this runs on: processor, Jetson, temperature, systemd."""
