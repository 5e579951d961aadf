"""The model bundle: opened only when every file is what the manifest says."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_c2vl.bundle import bundle as bundle_module
from edge_c2vl.bundle.bundle import Bundle, Engine, Manifest, revise_bundle, sha256, write_bundle
from edge_c2vl.bundle.external_data import external_files
from edge_c2vl.errors import BundleError
from edge_c2vl.skeletons.clip import ClipSpec

onnx = pytest.importorskip("onnx")

FRAMES, LABELS, SIZE = 8, ["attentive", "distracted"], 4


def model(frames: int = FRAMES, classes: int = len(LABELS), size: int = SIZE, clip: str = "clip") -> onnx.ModelProto:
    """clip -> mean over frames and joints -> two linear layers: small, but with the real inputs and outputs."""
    rng = np.random.default_rng(0)
    helper, numpy_helper, float32 = onnx.helper, onnx.numpy_helper, onnx.TensorProto.FLOAT
    weights = [
        numpy_helper.from_array(rng.normal(size=(3, classes)).astype(np.float32), "wl"),
        numpy_helper.from_array(rng.normal(size=(3, size)).astype(np.float32), "we"),
    ]
    nodes = [
        helper.make_node("GlobalAveragePool", [clip], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "wl"], ["logits"]),
        helper.make_node("MatMul", ["flat", "we"], ["e"]),
        helper.make_node("LpNormalization", ["e"], ["embedding"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(clip, float32, ["N", 3, frames, 25])],
        [
            helper.make_tensor_value_info("logits", float32, ["N", classes]),
            helper.make_tensor_value_info("embedding", float32, ["N", size]),
        ],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def manifest(**change: object) -> Manifest:
    values = {
        "name": "test",
        "labels": LABELS,
        "distraction": ["distracted"],
        "clip": ClipSpec(frames=FRAMES),
        "embedding_size": SIZE,
        "trained_on": "nothing",
        "licences": ["none"],
    }
    return Manifest(**(values | change))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    files = {"model.fp32.onnx": model().SerializeToString(), "report.json": b'{"auc": 1}'}
    write_bundle(tmp_path / "b", manifest(), files)
    return tmp_path / "b"


def edit(path: Path, **change: object) -> None:
    """Changes the manifest, as somebody with an editor would."""
    values = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(values | change))


def list_file(path: Path, name: str, target: Path) -> None:
    values = json.loads((path / "manifest.json").read_text())
    values["files"][name] = {"size": target.stat().st_size, "sha256": sha256(target)}
    (path / "manifest.json").write_text(json.dumps(values))


def refused(path: Path, message: str) -> str:
    with pytest.raises(BundleError, match=message) as caught:
        Bundle.open(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_round_trip(bundle: Path) -> None:
    opened = Bundle.open(bundle)
    assert opened.manifest.labels == LABELS
    assert opened.manifest.clip == ClipSpec(frames=FRAMES)
    assert opened.manifest.files.keys() == {"model.fp32.onnx", "report.json"}
    assert opened.report == {"auc": 1}
    assert opened.precisions == ["fp32"]
    assert opened.model_path() == bundle / "model.fp32.onnx"
    with pytest.raises(BundleError, match="edge-c2vl quantize"):
        opened.model_path("int8")


def test_engines_come_back(tmp_path: Path) -> None:
    engine = Engine("engines/orin/model.plan", "orin", "Orin", "8.7", "10.3.0", "int8", "ab")
    files = {"model.fp32.onnx": model().SerializeToString(), engine.path: b"plan"}
    write_bundle(tmp_path / "b", manifest(engines=[engine]), files)
    assert Bundle.open(tmp_path / "b").manifest.engines == [engine]


def test_truncated(bundle: Path) -> None:
    data = (bundle / "model.fp32.onnx").read_bytes()
    (bundle / "model.fp32.onnx").write_bytes(data[:-1])
    assert "edge-c2vl export" in refused(bundle, f"{len(data) - 1} bytes where the manifest says {len(data)}")


def test_altered(bundle: Path) -> None:
    data = bytearray((bundle / "model.fp32.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / "model.fp32.onnx").write_bytes(bytes(data))
    refused(bundle, "altered")


def test_missing(bundle: Path, tmp_path: Path) -> None:
    (bundle / "report.json").unlink()
    refused(bundle, "lacks report.json")
    refused(tmp_path / "nowhere", "does not exist")
    refused(tmp_path, "not a model bundle")


def test_newer_format(bundle: Path) -> None:
    edit(bundle, format_version=2, labels={"in": "a form of the future"})
    refused(bundle, "pip install -U")


@pytest.mark.parametrize("name", ["/etc/hostname", "../secret", "a/../../secret", "C:/secret", "a\\..\\b", ""])
def test_paths_that_lead_out(bundle: Path, name: str) -> None:
    (bundle.parent / "secret").write_text("x")
    list_file(bundle, name, bundle.parent / "secret")
    refused(bundle, "outside it")


def test_a_link_that_leads_out(bundle: Path) -> None:
    (bundle.parent / "secret").write_text("x")
    (bundle / "report.json").unlink()
    (bundle / "report.json").symlink_to(bundle.parent / "secret")
    list_file(bundle, "report.json", bundle.parent / "secret")
    refused(bundle, "outside it")


def test_a_bundle_behind_a_link_opens(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(bundle)
    assert Bundle.open(tmp_path / "link").manifest.name == "test"


@pytest.mark.parametrize(
    "change",
    [
        {"labels": []},
        {"labels": "attentive"},
        {"labels": [1, 2]},
        {"distraction": ["phone"]},
        {"clip": {"frames": 8}},
        {"clip": None},
        *(
            {"clip": ClipSpec(frames=FRAMES).to_json() | wrong}
            for wrong in (
                {"seconds": float("nan")},
                {"seconds": float("inf")},
                {"seconds": 0},
                {"seconds": "3"},
                {"seconds": True},
                {"frames": 8.0},
                {"frames": 1},
                {"dimensions": 4},
                {"facing": 1},
                {"min_confidence": 1.5},
                {"min_confidence": float("nan")},
                {"max_gap_s": 0},
                {"max_gap_s": -1.0},
                {"min_arms": -0.1},
                {"min_arms": None},
                {"joints": []},
                {"joints": ["head", "head"]},
                {"joints": ["tail"]},
            )
        ),
        {"embedding_size": True},
        {"files": {"a": 3}},
        {"files": 7},
        {"engines": [{"path": "x"}]},
        {"latency": {"a CPU": 3}},
        {"calibration": "yes"},
        {"format_version": "one"},
        {"embedding_size": "4"},
        {"layout": "coco17"},
    ],
)
def test_a_manifest_that_makes_no_sense(bundle: Path, change: dict) -> None:
    edit(bundle, **change)
    refused(bundle, "manifest of bundle .* cannot be used")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format_version": 1}', '"x"', "[" * 100_000])
def test_a_manifest_that_is_no_manifest(bundle: Path, text: str) -> None:
    (bundle / "manifest.json").write_text(text)
    refused(bundle, "cannot be used")


@pytest.mark.parametrize(
    "wrong", [{"frames": 9}, {"classes": 3}, {"size": 5}, {"clip": "input"}], ids=["frames", "classes", "size", "name"]
)
def test_shapes_must_be_the_manifests(tmp_path: Path, wrong: dict) -> None:
    with pytest.raises(BundleError, match="the manifest wants clip"):
        write_bundle(tmp_path / "b", manifest(), {"model.fp32.onnx": model(**wrong).SerializeToString()})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("junk", [b"", b"not a model", bytes(range(256)), model().SerializeToString()[:-7]])
def test_what_is_no_model_is_not_written(tmp_path: Path, junk: bytes) -> None:
    with pytest.raises(BundleError, match=r"not a model|the manifest wants"):
        write_bundle(tmp_path / "b", manifest(), {"model.fp32.onnx": junk})
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_needs_the_fp32_model(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no model\.fp32\.onnx"):
        write_bundle(tmp_path / "b", manifest(), {"report.json": b"{}"})


def test_existing_is_kept_unless_told(bundle: Path) -> None:
    files = {"model.fp32.onnx": model().SerializeToString()}
    with pytest.raises(BundleError, match="exists already"):
        write_bundle(bundle, manifest(), files)
    write_bundle(bundle, manifest(name="second"), files, overwrite=True)
    assert Bundle.open(bundle).manifest.name == "second"
    assert [p.name for p in bundle.parent.iterdir()] == ["b"]


@pytest.mark.parametrize("name", ["../x", "/x", "manifest.json"])
def test_files_go_nowhere_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleError, match="no path for a file"):
        write_bundle(tmp_path / "b", manifest(), {name: b"x"})


def test_revised_whole_or_not_at_all(bundle: Path) -> None:
    opened = Bundle.open(bundle)
    with pytest.raises(BundleError, match="the manifest wants"):
        revise_bundle(opened, {"model.int8.onnx": model(frames=9).SerializeToString()})
    assert Bundle.open(bundle).manifest == opened.manifest
    revised = revise_bundle(
        opened, {"model.int8.onnx": model().SerializeToString(), "report.json": None}, calibration={"method": "mse"}
    )
    assert revised.precisions == ["fp32", "int8"]
    assert Bundle.open(bundle).manifest.calibration == {"method": "mse"}
    assert sorted(p.name for p in bundle.iterdir()) == ["manifest.json", "model.fp32.onnx", "model.int8.onnx"]
    assert [p.name for p in bundle.parent.iterdir()] == ["b"]


def test_a_folder_that_cannot_be_written(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(bundle_module, "temporary_beside", refuse)
    with pytest.raises(BundleError, match=r"cannot be written to \(Permission denied\): copy"):
        revise_bundle(Bundle.open(bundle), {})


def _with_external_data(folder: Path) -> Path:
    folder.mkdir()
    onnx.save_model(model(), folder / "m.onnx", save_as_external_data=True, location="m.onnx.data", size_threshold=0)
    return folder / "m.onnx"


def test_external_data_goes_along_and_is_verified(tmp_path: Path) -> None:
    source = _with_external_data(tmp_path / "s")
    assert external_files(source.read_bytes()) == {"m.onnx.data"}
    write_bundle(tmp_path / "b", manifest(), {"model.fp32.onnx": source})
    assert "m.onnx.data" in Bundle.open(tmp_path / "b").manifest.files
    data = bytearray((tmp_path / "b" / "m.onnx.data").read_bytes())
    data[0] ^= 1
    (tmp_path / "b" / "m.onnx.data").write_bytes(bytes(data))
    refused(tmp_path / "b", "altered")


def test_external_data_that_is_not_listed(tmp_path: Path) -> None:
    source = _with_external_data(tmp_path / "s")
    write_bundle(tmp_path / "b", manifest(), {"model.fp32.onnx": source})
    values = json.loads((tmp_path / "b" / "manifest.json").read_text())
    del values["files"]["m.onnx.data"]
    (tmp_path / "b" / "manifest.json").write_text(json.dumps(values))
    refused(tmp_path / "b", "does not list")


def test_external_data_elsewhere_is_refused(tmp_path: Path) -> None:
    source = _with_external_data(tmp_path / "s")
    proto = onnx.load(source, load_external_data=False)
    shutil.copy(tmp_path / "s" / "m.onnx.data", tmp_path / "outside")
    for tensor in proto.graph.initializer:
        next(entry for entry in tensor.external_data if entry.key == "location").value = "../outside"
    with pytest.raises(BundleError, match="does not list"):
        write_bundle(tmp_path / "b", manifest(), {"model.fp32.onnx": proto.SerializeToString()})


def test_external_data_in_subgraphs_is_found() -> None:
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[1], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="deep.bin")
    inner = onnx.helper.make_graph([onnx.helper.make_node("Constant", [], ["c"], value=tensor)], "in", [], [])
    outer = onnx.helper.make_node("If", ["cond"], ["y"], then_branch=inner, else_branch=inner)
    proto = onnx.helper.make_model(onnx.helper.make_graph([outer], "out", [], []))
    assert external_files(proto.SerializeToString()) == {"deep.bin"}


@given(st.binary(max_size=300))
def test_external_files_never_crashes(junk: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(external_files(junk), set)


def test_default_is_found_in_the_package(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_module, "DEFAULT", bundle)
    assert Bundle.open("default").path == bundle
    monkeypatch.setattr(bundle_module, "DEFAULT", tmp_path / "none")
    with pytest.raises(BundleError, match="--force-reinstall"):
        Bundle.open()
