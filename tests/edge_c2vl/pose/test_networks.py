"""The networks' files: where they come from, and that nothing else is opened."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cli import edge_c2vl
from edge_c2vl.bundle.external_data import external_files
from edge_c2vl.errors import BundleError, EdgeC2VLError, UsageError
from edge_c2vl.pose import PoseEstimator, build, identity_of
from edge_c2vl.pose.fastest import open_fastest
from edge_c2vl.pose.networks import FOLDER, NAMES, graph_file, open_networks, verify

ROOT = Path(__file__).resolve().parents[3]
BOTH = ["CUDAExecutionProvider", "CPUExecutionProvider"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return shutil.copytree(FOLDER, tmp_path / "networks")


class TestOpening:
    @pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
    def test_the_files_that_come_with_the_package_are_whole(self, precision: str) -> None:
        assert verify(FOLDER, precision).startswith(f"blazepose {precision} ")
        assert verify(FOLDER, "fp32") != verify(FOLDER, "fp16")

    def test_every_file_is_listed_and_every_weight_verified(self) -> None:
        listed = json.loads((FOLDER / "manifest.json").read_text())["files"]
        assert {path.name for path in FOLDER.iterdir()} == {*listed, "manifest.json"}
        for precision in ("fp32", "fp16", "int8"):
            for name in NAMES:
                graph = (FOLDER / graph_file(name, precision)).read_bytes()
                assert external_files(graph) == {f"{name}.weights"}

    @pytest.mark.parametrize("name", ["detector.weights", "landmarks.fp32.onnx"])
    @pytest.mark.parametrize("harm", ["altered", "short", "gone"])
    def test_a_damaged_file_is_refused(self, copy: Path, name: str, harm: str) -> None:
        content = bytearray((copy / name).read_bytes())
        if harm == "gone":
            (copy / name).unlink()
        else:
            content[100] ^= 1
            (copy / name).write_bytes(content if harm == "altered" else content[:-1])
        with pytest.raises(BundleError, match=rf"{name} is missing or was altered.*pip install") as caught:
            open_networks(folder=copy)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("text", ["", "{}", "[]", '{"format_version": 2, "files": {}}', None])
    def test_a_manifest_that_is_none_is_refused(self, copy: Path, text: str | None) -> None:
        (copy / "manifest.json").unlink()
        if text is not None:
            (copy / "manifest.json").write_text(text)
        with pytest.raises(BundleError, match=r"the manifest of the pose networks .* cannot be used"):
            open_networks(folder=copy)

    def test_the_licence_is_beside_them(self) -> None:
        assert "Apache License, Version 2.0" in (FOLDER / "NOTICE").read_text()


class TestFastest:
    """Without a GPU here: what CUDA's network takes is scripted."""

    @pytest.fixture
    def with_cuda(self, monkeypatch: pytest.MonkeyPatch):
        import onnxruntime

        from edge_c2vl.pose import fastest

        opener = fastest.open_networks

        def opened(providers, threads, folder):
            made = opener(("cpu",), threads, folder)
            if providers[0] == "cuda":
                made.landmarks.name = "onnxruntime:cuda"
            return made

        def scripted(cpu_ms: float, cuda_ms: float):
            monkeypatch.setattr(fastest, "latency_ms", lambda net: cuda_ms if "cuda" in net.name else cpu_ms)
            monkeypatch.setattr(fastest, "open_networks", opened)
            monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: BOTH)

        return scripted

    def test_the_faster_one_is_taken_and_says_so(self, with_cuda) -> None:
        with_cuda(8.0, 2.0)
        chosen = open_fastest()
        assert (chosen.landmarks.name, chosen.note) == (
            "onnxruntime:cuda",
            "onnxruntime:cuda fp32: 2.0 ms, onnxruntime:cpu fp32 takes 8.0 ms",
        )
        chosen.close()

    def test_a_gpu_that_is_slower_is_not_taken(self, with_cuda) -> None:
        with_cuda(8.0, 9.0)
        with PoseEstimator() as pose:
            assert pose.name.endswith(
                " on onnxruntime:cpu (onnxruntime:cpu fp32: 8.0 ms, onnxruntime:cuda fp32 takes 9.0 ms)"
            )

    def test_without_one_nothing_is_measured(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from edge_c2vl.pose import fastest

        monkeypatch.setattr(fastest, "latency_ms", None)
        assert (open_fastest().landmarks.name, open_fastest().note) == ("onnxruntime:cpu", "")

    @pytest.mark.filterwarnings("ignore:Specified provider")
    def test_a_provider_that_does_not_open_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """ONNX Runtime claims to have CUDA, and has not."""
        import onnxruntime

        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: BOTH)
        chosen = open_fastest()
        assert chosen.landmarks.name == "onnxruntime:cpu"
        assert chosen.note.startswith("not cuda: ")


class TestHalfPrecision:
    def test_the_graph_for_gpus_answers_the_same_but_for_rounding(self) -> None:
        """On the CPU, which computes in half precision only where it has to."""
        from edge_c2vl.pose.networks import OnnxRuntimeNetwork

        image = np.random.default_rng(0).random((1, 3, 256, 256)).astype(np.float32)
        one, other = (
            OnnxRuntimeNetwork(FOLDER / f"landmarks.{precision}.onnx", precision, ["cpu"], 1).run(image)
            for precision in ("fp32", "fp16")
        )
        assert one.keys() == other.keys() == {"landmarks", "presence", "heatmaps"}
        assert all(value.dtype == np.float32 for value in other.values())
        apart = np.abs(one["landmarks"] - other["landmarks"]).reshape(39, 5)[:, :2]
        assert 0 < np.median(apart) < 1  # pixels of 256


class TestInt8:
    def test_it_is_opened_where_it_is_asked_for(self) -> None:
        with PoseEstimator(kind="blazepose:int8") as pose, PoseEstimator() as usual:
            assert pose.identity == identity_of("blazepose:int8") == verify(FOLDER, "int8")
            assert usual.identity == identity_of() == verify(FOLDER, "fp32")

    def test_most_convolutions_are_integers(self) -> None:
        """Those that ONNX Runtime makes integer kernels of: behind a DequantizeLinear."""
        onnx = pytest.importorskip("onnx")
        graph = onnx.load(FOLDER / "landmarks.int8.onnx", load_external_data=False).graph
        wide = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
        convolutions = [node for node in graph.node if node.op_type == "Conv"]
        integers = [wide.issuperset(node.input) for node in convolutions]
        assert [index for index, integer in enumerate(integers) if integer] == list(range(3, 60))


class TestBuilding:
    @pytest.fixture(autouse=True)
    def needed(self) -> None:
        pytest.importorskip("mediapipe")
        pytest.importorskip("onnx")

    def test_the_wheels_files_give_what_the_package_carries(self, tmp_path: Path) -> None:
        done = CliRunner().invoke(edge_c2vl, ["build-pose", str(tmp_path / "made"), "--json"])
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout) == json.loads((FOLDER / "manifest.json").read_text())
        for path in FOLDER.iterdir():
            assert (tmp_path / "made" / path.name).read_bytes() == path.read_bytes(), path.name

    def test_the_graphs_are_valid(self) -> None:
        import onnx

        for path in FOLDER.glob("*.onnx"):
            onnx.checker.check_model(str(path), full_check=True)

    def test_no_segmentation_is_computed(self) -> None:
        """Half of MediaPipe's landmark network."""
        import onnx

        graph = onnx.load(FOLDER / "landmarks.fp32.onnx", load_external_data=False).graph
        assert [output.name for output in graph.output] == ["landmarks", "presence", "heatmaps"]
        used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
        assert all(set(node.output) & used for node in graph.node)

    def test_another_source_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for source in build.SOURCES.values():
            (tmp_path / source.path).parent.mkdir(parents=True)
            (tmp_path / source.path).write_bytes(b"another network")
        monkeypatch.setattr(build, "mediapipe_folder", lambda: tmp_path)
        with pytest.raises(UsageError, match=r"pose_detection.tflite is not the file of mediapipe 0\.10\.14"):
            build.build_networks(tmp_path / "made")
        assert not (tmp_path / "made").exists()

    def test_what_is_there_is_not_overwritten(self, copy: Path) -> None:
        with pytest.raises(EdgeC2VLError, match="exists already"):
            build.build_networks(copy)
        (copy / "detector.weights").unlink()
        build.build_networks(copy, overwrite=True)
        verify(copy, "fp32")

    def test_a_folder_of_another_kind_is_never_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "mine").mkdir()
        with pytest.raises(EdgeC2VLError, match="exists already"):
            build.build_networks(tmp_path / "mine", overwrite=True)


def test_the_run_time_needs_neither_mediapipe_nor_onnx() -> None:
    program = (
        "import sys\n"
        "for name in ('mediapipe', 'onnx', 'jax', 'flatbuffers', 'google.protobuf'): sys.modules[name] = None\n"
        "import numpy as np\nfrom edge_c2vl.pose import PoseEstimator\n"
        "with PoseEstimator() as pose: print(pose.estimate(np.zeros((64, 64, 3), np.uint8), 0))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("None\n", "")
