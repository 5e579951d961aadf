"""CPU cores that are switched off, and the versions of ONNX Runtime that abort there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edge_c2vl.device import cpu_cores
from edge_c2vl.device.cpu_cores import format_cores, offline_cores, parse_cores, refusal
from edge_c2vl.doctor.machine import check_cores
from edge_c2vl.errors import EdgeC2VLError
from tests.support.jetsons import BOARDS, make_jetson

ROOT = Path(__file__).resolve().parents[3]


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
