"""The doctor on Jetsons: power modes, cores that are off, DLA, and what the service can reach."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge_c2vl.device import cpu_cores
from edge_c2vl.device.cpu_cores import format_cores, offline_cores, parse_cores, refusal
from edge_c2vl.device.jetson import dla_cores
from edge_c2vl.device.systemd_unit import find_nodes, read_unit
from edge_c2vl.doctor import nvidia
from edge_c2vl.doctor.findings import Finding
from edge_c2vl.doctor.machine import check_cores
from edge_c2vl.doctor.service import check_service
from edge_c2vl.errors import EdgeC2VLError
from edge_c2vl.inference import cuda
from tests.support.fake_nvidia import FakeCuda
from tests.support.jetsons import BOARDS, make_jetson, nodes_of

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy" / "edge-c2vl.service"
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


# Cores that are off


@pytest.mark.parametrize(
    ("text", "cores"), [("0-3,6\n", {0, 1, 2, 3, 6}), ("0", {0}), ("", set()), ("0-1,4-5", {0, 1, 4, 5})]
)
def test_lists_of_cores(text: str, cores: set[int]) -> None:
    assert parse_cores(text) == cores
    assert format_cores(cores) == text.strip()


@pytest.mark.parametrize("text", ["all", "0-", "-3", "0-99999", "1;2"])
def test_what_is_no_list_of_cores(text: str) -> None:
    with pytest.raises(ValueError, match="no range"):
        parse_cores(text)


@pytest.mark.parametrize(
    ("version", "machine", "refused"),
    [
        ("1.23.2", "aarch64", True),
        ("1.25.0", "aarch64", True),
        ("1.28.0", "aarch64", False),
        ("1.32.0", "aarch64", False),
        ("1.23.2", "x86_64", False),  # the fault is in the part for ARM
    ],
)
def test_onnx_runtime_that_aborts_with_cores_off_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, machine: str, refused: bool
) -> None:
    root = make_jetson(tmp_path, BOARDS["orin-nano"], 3)
    monkeypatch.setattr(cpu_cores.importlib.metadata, "version", lambda name: version)
    monkeypatch.setattr(cpu_cores, "FOLDER", root / "sys/devices/system/cpu")
    monkeypatch.setattr(cpu_cores.platform, "machine", lambda: machine)
    assert offline_cores() == {4, 5}
    found = check_cores(root)[0]
    assert found.state == ("fail" if refused else "info")
    if not refused:
        assert cpu_cores.load_onnxruntime().__name__ == "onnxruntime"
        return
    assert "cores 4-5 are switched off" in found.advice
    assert f"onnxruntime {version} would abort" in found.advice
    with pytest.raises(EdgeC2VLError, match=r"cores 4-5 are switched off.*nvpmodel -m"):
        cpu_cores.load_onnxruntime()


def test_nothing_that_runs_in_the_vehicle_imports_onnx_runtime_unasked() -> None:
    importing = [path.name for path in (ROOT / "edge_c2vl").rglob("*.py") if "import onnxruntime" in path.read_text()]
    assert importing == ["cpu_cores.py"]


@pytest.mark.parametrize("content", [None, "none of the kernel's"])
def test_a_kernel_that_does_not_tell(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        for name in ("possible", "present", "online"):
            (tmp_path / name).write_text(content)
    assert offline_cores(tmp_path) == set()
    assert refusal(tmp_path, "aarch64") == ""


def test_more_possible_than_present_is_a_board_with_room_for_more(tmp_path: Path) -> None:
    for name, text in {"possible": "0-127", "present": "0-1", "online": "0-1"}.items():
        (tmp_path / name).write_text(text)
    assert offline_cores(tmp_path) == set()


def test_the_kernels_files_with_cores_that_are_off(tmp_path: Path) -> None:
    """The real files, covered in a mount namespace: the command sees it, and where it may run it runs."""
    (tmp_path / "cores").write_text("0-63\n")
    script = (
        'for name in possible present; do mount --bind "$1" /sys/devices/system/cpu/$name || exit 99; done; '
        'shift; exec "$@"'
    )
    program = (
        "from edge_c2vl.doctor.machine import check_cores\n"
        "print(check_cores()[0].value)\n"
        "from edge_c2vl.device.cpu_cores import load_onnxruntime, refusal\n"
        "print(load_onnxruntime().__version__ if not refusal() else refusal())"
    )
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", tmp_path / "cores"]
    try:
        done = subprocess.run([*command, sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("needs unshare: apt install util-linux")
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip("mounts are forbidden here")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].endswith("-63 are switched off")


# The service


def install(root: Path, text: str | None = None) -> None:
    folder = root / "usr/local/lib/systemd/system"
    folder.mkdir(parents=True)
    (folder / UNIT.name).write_text(UNIT.read_text() if text is None else text)


@pytest.mark.parametrize("board", BOARDS)
def test_the_unit_lets_the_service_reach_cameras_and_gpu(tmp_path: Path, board: str) -> None:
    root = make_jetson(tmp_path, BOARDS[board], BOARDS[board].modes[-1][0])
    install(root)
    found = check_service(root, lambda patterns, _: nodes_of(BOARDS[board], patterns))
    assert {finding.name for finding in found} >= {"service: cameras", "service: GPU", "service: CSI cameras"}
    assert [finding for finding in found if finding.state == "warn"] == []


def test_what_the_unit_would_miss_is_told_with_what_to_do(tmp_path: Path) -> None:
    root = make_jetson(tmp_path, BOARDS["orin-nano"], 3)
    lines = [line for line in UNIT.read_text().splitlines() if not line.startswith(("DeviceAllow", "BindReadOnly"))]
    devices = [f"DeviceAllow={name} rw" for name in OLD_DEVICES]
    install(root, "\n".join([*lines, "[Service]", "PrivateTmp=true", *devices]))
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


def test_a_drop_in_adds_and_takes_back(tmp_path: Path) -> None:
    root = make_jetson(tmp_path, BOARDS["orin-nano"], 0)
    install(
        root, "[Service]\nUser=edge-c2vl\nDevicePolicy=closed\nDeviceAllow=char-nvhost rw\n# DeviceAllow=/dev/no rw\n"
    )
    drop_in = root / "etc/systemd/system/edge-c2vl.service.d"
    drop_in.mkdir(parents=True)
    (drop_in / "1.conf").write_text(
        "[Service]\nDeviceAllow=\nDeviceAllow=/dev/nvmap \\\nrw\n[Unit]\nDeviceAllow=/dev/x rw\n"
    )
    unit = read_unit("edge-c2vl.service", root)
    assert unit is not None
    assert [" ".join(rule.split()) for rule in unit.settings["DeviceAllow"]] == ["/dev/nvmap rw"]
    assert (unit.uid, unit.groups) == (990, frozenset({44, 104, 990}))


def test_no_service(tmp_path: Path) -> None:
    assert check_service(tmp_path)[0].value == "edge-c2vl.service is not installed"
    install(tmp_path)
    assert check_service(tmp_path)[0].value == "its user edge-c2vl does not exist"


def test_real_nodes() -> None:
    nodes = {node.path: node.kind for node in find_nodes(["null", "zero", "no-such*", "disk/*"])}
    assert nodes == {"/dev/null": "mem", "/dev/zero": "mem"}
