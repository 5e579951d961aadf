"""This machine's processor."""

from __future__ import annotations

from edge_c2vl.device.machine import cpu_name, folder_name, overflows_int8


def test_the_machine() -> None:
    assert cpu_name().endswith(")")
    assert folder_name("NVIDIA Jetson Orin Nano (aarch64)") == "nvidia-jetson-orin-nano-aarch64"
    assert folder_name("../..") == "device"
    assert isinstance(overflows_int8(), bool)
