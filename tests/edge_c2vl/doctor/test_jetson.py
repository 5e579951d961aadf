"""The doctor on Jetsons: power modes, cores that are off, DLA, and what the service can reach."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge_c2vl.device.jetson import dla_cores
from edge_c2vl.doctor import nvidia
from edge_c2vl.doctor.findings import Finding
from edge_c2vl.doctor.service import check_service
from edge_c2vl.inference import cuda
from tests.support.fake_cuda import FakeCuda
from tests.support.jetsons import BOARDS, UNIT, install_unit, make_jetson, nodes_of

# The unit of version 0.1, which no CUDA on an Orin got past.
OLD_DEVICES = ("char-video4linux", "char-nvhost", "char-nvmap", "char-nvidia", "char-drm")


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


@pytest.mark.parametrize(
    ("board", "mode", "value", "advice"),
    [
        ("orin-nano", 0, "15W (mode 0), 6 of 6 CPU cores", "nvpmodel -m 2 (MAXN_SUPER)"),
        ("orin-nano", 3, "7W (mode 3), 4 of 6 CPU cores", "nvpmodel -m 2 (MAXN_SUPER)"),
        ("orin-nano", 2, "MAXN_SUPER (mode 2), 6 of 6 CPU cores", ""),
        ("orin-nx", 2, "15W (mode 2), 4 of 8 CPU cores", "nvpmodel -m 0 (MAXN)"),
        ("agx-orin", 3, "50W (mode 3), 12 of 12 CPU cores", "nvpmodel -m 0 (MAXN)"),
        ("thor", 0, "MAXN (mode 0), 14 of 14 CPU cores", ""),
    ],
)
def test_the_power_mode_by_name(tmp_path: Path, board: str, mode: int, value: str, advice: str) -> None:
    found = by_name(nvidia.check_gpu(make_jetson(tmp_path, BOARDS[board], mode)))["power mode"]
    assert found.value == value
    assert advice in found.advice
    assert bool(found.advice) == bool(advice)


@pytest.mark.parametrize(("board", "count"), [("orin-nano", 0), ("orin-nx", 2), ("agx-orin", 1), ("thor", 0)])
@pytest.mark.parametrize(
    ("version", "what"), [("10.3.0.26", "for build-engine"), ("10.13.3", "cannot use them"), ("", "is needed")]
)
def test_dla(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, board: str, count: int, version: str, what: str) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", SimpleNamespace(__version__=version) if version else None)
    root = make_jetson(tmp_path, BOARDS[board], 0)
    assert dla_cores(root) == count
    found = nvidia.check_dla(root)
    assert len(found) == bool(count)
    assert all(what in finding.value and finding.value.startswith(f"{count}") for finding in found)


@pytest.mark.parametrize(("gpus", "state"), [(1, "ok"), (0, "warn")])
def test_cuda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpus: int, state: str) -> None:
    monkeypatch.setattr(cuda, "open_library", lambda: FakeCuda(gpus))
    root = make_jetson(tmp_path, BOARDS["thor"], 0)
    found = nvidia.check_cuda(root)[0]
    assert (found.state, found.value) == (
        state,
        "12.6, Fake GPU (SM 8.7)" if gpus else "CUDA finds no GPU on this machine",
    )


# The service


@pytest.mark.parametrize("board", BOARDS)
def test_the_unit_lets_the_service_reach_cameras_and_gpu(tmp_path: Path, board: str) -> None:
    root = make_jetson(tmp_path, BOARDS[board], BOARDS[board].modes[-1][0])
    install_unit(root)
    found = check_service(root, lambda patterns, _: nodes_of(BOARDS[board], patterns))
    assert {finding.name for finding in found} >= {"service: cameras", "service: GPU", "service: CSI cameras"}
    assert [finding for finding in found if finding.state == "warn"] == []


def test_what_the_unit_would_miss_is_told_with_what_to_do(tmp_path: Path) -> None:
    root = make_jetson(tmp_path, BOARDS["orin-nano"], 3)
    lines = [line for line in UNIT.read_text().splitlines() if not line.startswith(("DeviceAllow", "BindReadOnly"))]
    devices = [f"DeviceAllow={name} rw" for name in OLD_DEVICES]
    install_unit(root, "\n".join([*lines, "[Service]", "PrivateTmp=true", *devices]))
    (root / "etc/group").write_text("video:x:44:edge-c2vl\nrender:x:104:\nedge-c2vl:x:990:\n")
    found = by_name(check_service(root, lambda patterns, _: nodes_of(BOARDS["orin-nano"], patterns)))
    gpu = found["service: GPU"]
    assert "/dev/nvmap (DeviceAllow= does not name it)" in gpu.value
    assert "/dev/nvgpu/igpu0/ctrl (DeviceAllow= does not name it)" in gpu.value
    assert "/dev/dri/renderD128 (its group is not one of the user's)" in gpu.value
    assert "/dev/nvhost-ctrl (" not in gpu.value
    assert "DeviceAllow=/dev/nvmap rw" in gpu.advice
    assert "usermod --append --groups $(getent group 104" in gpu.advice
    assert found["service: CPU cores"].state == found["service: CSI cameras"].state == "warn"


def test_no_service(tmp_path: Path) -> None:
    assert check_service(tmp_path)[0].value == "edge-c2vl.service is not installed"
    install_unit(tmp_path)
    assert check_service(tmp_path)[0].value == "its user edge-c2vl does not exist"
