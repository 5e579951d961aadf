"""The doctor on machines as they are, and as they might be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_c2vl.commands.doctor import doctor as command
from edge_c2vl.device.jetson import Jetson, find_jetson, tensorrt_advice
from edge_c2vl.doctor import cameras, machine, nvidia, software
from edge_c2vl.doctor import examine as examining
from edge_c2vl.doctor.examine import can_run, examine
from edge_c2vl.doctor.findings import Finding
from edge_c2vl.errors import BundleError, CameraError

ORIN = (
    "# R36 (release), REVISION: 4.0, GCID: 37537400, BOARD: generic, EABI: aarch64, DATE: Fri Sep 13 04:36:44 UTC 2024"
)


def jetson_root(tmp_path, release=ORIN, board="NVIDIA Jetson Orin Nano Developer Kit\0"):
    (tmp_path / "etc").mkdir()
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "etc/nv_tegra_release").write_text(release)
    (tmp_path / "proc/device-tree/model").write_text(board)
    return tmp_path


def program(folder, name, text, monkeypatch):
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def by_name(findings):
    return {finding.name: finding for finding in findings}


class TestJetson:
    def test_jetpack_6(self, tmp_path):
        expected = Jetson("NVIDIA Jetson Orin Nano Developer Kit", "36.4.0", "6", "3.10")
        assert find_jetson(jetson_root(tmp_path)) == expected

    @pytest.mark.parametrize(("major", "jetpack"), [(35, "5"), (38, "7"), (99, "")])
    def test_other_releases(self, tmp_path, major, jetpack):
        assert find_jetson(jetson_root(tmp_path, ORIN.replace("R36", f"R{major}"))).jetpack == jetpack

    def test_known_by_its_board_alone(self, tmp_path):
        assert find_jetson(jetson_root(tmp_path, release="")).l4t == ""

    def test_a_release_file_that_says_nothing_known(self, tmp_path):
        assert find_jetson(jetson_root(tmp_path, release="hello")).jetpack == ""

    def test_other_machines(self, tmp_path):
        assert find_jetson(tmp_path) is None
        assert find_jetson(jetson_root(tmp_path, release="", board="Raspberry Pi 5")) is None

    def test_its_findings(self, tmp_path, monkeypatch):
        program(tmp_path, "nvpmodel", "echo 'NV Power Mode: 15W'; echo 1", monkeypatch)
        found = by_name(nvidia.check_gpu(jetson_root(tmp_path)))
        assert found["Jetson"].value == "NVIDIA Jetson Orin Nano Developer Kit, JetPack 6 (L4T 36.4.0)"
        assert found["power mode"].value == "15W"  # without nvpmodel.conf

    def test_too_old(self, tmp_path):
        found = by_name(nvidia.check_gpu(jetson_root(tmp_path, ORIN.replace("R36", "R35"))))
        assert "JetPack 6" in found["JetPack"].advice

    @pytest.mark.parametrize(
        ("python", "advice"), [((3, 10), "apt-get install tensorrt"), ((3, 12), "python3.10 -m venv")]
    )
    def test_how_to_get_tensorrt(self, python, advice):
        assert advice in tensorrt_advice(Jetson("Orin", "36.4.0", "6", "3.10"), python)

    def test_gstreamer_without_the_sensors_element(self, tmp_path, monkeypatch):
        monkeypatch.setattr("edge_c2vl.cameras.csi.has_gstreamer", lambda: False)
        program(tmp_path, "gst-launch-1.0", "", monkeypatch)
        program(tmp_path, "gst-inspect-1.0", "exit 1", monkeypatch)
        found = by_name(cameras.check_cameras(jetson_root(tmp_path)))["GStreamer"]
        assert (found.state, "nvidia-l4t-camera" in found.advice) == ("warn", True)


class TestFindings:
    def test_a_check_that_breaks_is_a_warning(self):
        def check_moon():
            raise RuntimeError("out of sight")

        assert examine([check_moon]) == [Finding("moon", "warn", "could not be checked: RuntimeError: out of sight")]

    def test_only_a_fail_keeps_it_from_running(self):
        assert can_run([Finding("a", state, "") for state in ("ok", "info", "warn")])
        assert not can_run([Finding("a", "ok", ""), Finding("b", "fail", "")])

    def test_a_missing_package_is_named_with_its_command(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        found = by_name(software.check_packages())["onnxruntime"]
        assert (found.state, found.advice) == ("fail", "pip install onnxruntime")

    def test_an_explanation_of_a_page_is_told_in_one_line(self, monkeypatch):
        def load(_):
            raise ImportError(
                "\n\nIMPORTANT: READ THIS\n\nOriginal error was: libstdc++.so.6: cannot open shared object\n"
            )

        monkeypatch.setattr(software.importlib, "import_module", load)
        found = by_name(software.check_packages())["numpy"]
        assert found.value == "ImportError: Original error was: libstdc++.so.6: cannot open shared object"
        assert found.advice == "sudo apt-get install libstdc++6"

    def test_two_opencvs_are_noticed(self, monkeypatch):
        versions = {"opencv-python": "4.12", "opencv-python-headless": "4.12", "numpy": "2.4"}
        monkeypatch.setattr(software, "version_of", versions.get)
        assert "pip uninstall opencv-python &&" in by_name(software.check_packages())["OpenCV twice"].advice
        versions["mediapipe"] = "0.10"  # which needs one of its own
        assert "OpenCV twice" not in by_name(software.check_packages())

    @pytest.mark.parametrize(
        ("library", "advice"),
        [
            ("libGL.so.1", "apt-get install libgl1"),
            ("libSM.so.6", "apt-get install libsm6"),
            ("libX11-xcb.so.1", "apt-get install libx11-xcb1"),
            ("libgthread-2.0.so.0", "apt-get install libglib2.0-0"),
            ("libodd.so.3", "apt-file search libodd.so.3"),
        ],
    )
    def test_a_library_of_the_system_that_is_missing_is_named_with_its_package(self, library, advice):
        error = ImportError(f"{library}: cannot open shared object file: No such file or directory")
        assert advice in software.install_advice(error, "opencv-python-headless")
        assert software.install_advice(ImportError("broken"), "numpy") == "pip install numpy"

    def test_a_gpu(self, tmp_path, monkeypatch):
        program(tmp_path, "nvidia-smi", "echo 'NVIDIA X, 550.1, 8192 MiB'", monkeypatch)
        assert nvidia.check_gpu(tmp_path) == [Finding("GPU", "ok", "NVIDIA X, 550.1, 8192 MiB")]

    def test_a_gpu_driver_that_fails(self, tmp_path, monkeypatch):
        program(tmp_path, "nvidia-smi", "echo no driver; exit 9", monkeypatch)
        assert nvidia.check_gpu(tmp_path)[0].state == "info"

    @pytest.mark.parametrize(("degrees", "state"), [(45000, "ok"), (91500, "warn")])
    def test_the_hottest_zone_counts(self, tmp_path, degrees, state):
        for index, (kind, temperature) in enumerate([("cpu", 40000), ("gpu", degrees), ("off", None)]):
            zone = tmp_path / f"sys/class/thermal/thermal_zone{index}"
            zone.mkdir(parents=True)
            (zone / "type").write_text(kind + "\n")
            if temperature is not None:
                (zone / "temp").write_text(f"{temperature}\n")
        found = machine.check_temperature(tmp_path)[0]
        assert (found.state, found.value) == (state, f"{degrees / 1000:.0f} C (gpu)")

    def test_no_sensor(self, tmp_path):
        assert machine.check_temperature(tmp_path)[0].value == "not readable here"

    def test_a_device_that_gives_no_picture_is_reported(self, tmp_path, monkeypatch):
        def fail(*_):
            raise CameraError("cannot open /dev/video7: another program uses it")

        monkeypatch.setattr("edge_c2vl.cameras.device.devices", lambda: [Path("/dev/video7")])
        monkeypatch.setattr("edge_c2vl.cameras.camera.open_camera", fail)
        found = by_name(cameras.check_cameras(tmp_path))["/dev/video7"]
        assert (found.state, found.value) == ("info", "cannot open /dev/video7: another program uses it")


def test_a_face_network_that_does_not_open_is_no_end(monkeypatch):
    def broken():
        raise BundleError("mesh.weights is damaged")

    monkeypatch.setattr("edge_c2vl.face.networks.open_mesh", broken)
    (found,) = software.check_face()
    assert (found.state, found.value) == ("warn", "mesh.weights is damaged")


class TestCommand:
    FINDINGS = (Finding("Python", "ok", "3.11"), Finding("pose model", "fail", "gone", "pip install it"))

    def test_table(self, monkeypatch):
        monkeypatch.setattr(examining, "examine", lambda *_: list(self.FINDINGS))
        done = CliRunner().invoke(command)
        assert done.exit_code == 1
        assert done.output.splitlines() == [
            "ok    Python      3.11",
            "fail  pose model  gone",
            "                  -> pip install it",
            "`edge-c2vl run` cannot work here: see the lines with fail.",
        ]

    def test_json(self, monkeypatch):
        monkeypatch.setattr(examining, "examine", lambda *_: list(self.FINDINGS[:1]))
        done = CliRunner().invoke(command, ["--json"])
        assert done.exit_code == 0
        expected = [{"name": "Python", "state": "ok", "value": "3.11", "advice": ""}]
        assert json.loads(done.output) == {"can_run": True, "findings": expected}

    @pytest.mark.parametrize("more", [(), ("--json",)])
    def test_what_the_service_lacks_is_the_exit_code(self, monkeypatch, more):
        for state, code in (("warn", 1), ("info", 0), ("ok", 0)):
            found = [Finding("service: GPU", state, "it cannot open /dev/nvmap")]
            monkeypatch.setattr("edge_c2vl.doctor.service.check_service", lambda found=found: found)
            done = CliRunner().invoke(command, ["--service", *more])
            assert done.exit_code == code
            assert "can work here" not in done.output

    def test_on_this_machine(self):
        """The real checks, in a process of its own: valid JSON, nothing else, and an exit code that fits."""
        done = subprocess.run([sys.executable, "-m", "cli", "doctor", "--json"], capture_output=True, text=True)
        report = json.loads(done.stdout)
        states = {finding["name"]: finding["state"] for finding in report["findings"]}
        assert done.returncode == (0 if report["can_run"] else 1)
        assert report["can_run"] == ("fail" not in states.values())
        assert states["pose model"] == states["face model"] == states["numpy"] == "ok"
        assert {"Python", "onnxruntime", "free memory", "temperature", "GStreamer", "default bundle"} <= states.keys()
        assert done.stderr == ""
