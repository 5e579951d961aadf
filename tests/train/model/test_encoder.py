"""The encoder: shapes, folding, ONNX parity, what missing joints mean, the graph form against a plain reference."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from edge_c2vl.bundle.bundle import Bundle
from edge_c2vl.errors import BundleError, UsageError
from edge_c2vl.skeletons.clip import ClipSpec
from edge_c2vl.skeletons.skeleton import NTU25, adjacency
from tests.support.encoders import clips, trained
from train.model.checkpoint import About
from train.model.encoder import Block, Encoder, GraphConvolution, Stream, fold
from train.model.export import export_bundle, parity, write_onnx
from train.settings.training import STREAMS, EncoderSettings

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("settings", [
    EncoderSettings(classes=2),
    EncoderSettings(
        width=8, blocks=6, stride=4, classes=3, embedding=32, presence=True, pooling="mean_std", joint_bias=True
    ),
    EncoderSettings(width=8, blocks=3, classes=3, stream="bone", features=20, adaptive=True),
    EncoderSettings(width=8, blocks=4, classes=3, stream="motion", presence=True, temporal_kernel=5),
    EncoderSettings(
        width=8, blocks=6, graph_blocks=2, joined=12, stride=3, classes=3, features=24, pooling="mean_std"
    ),
    EncoderSettings(width=8, blocks=4, graph_blocks=1, joined=20, classes=3, presence=True, joint_bias=True),
    EncoderSettings("spans", blocks=3, joined=20, stride=4, classes=3, presence=True, pooling="mean_std"),
    EncoderSettings("spans", blocks=3, joined=20, stride=5, classes=3, embedding=16),
    EncoderSettings("transformer", blocks=3, joined=64, stride=4, classes=3, presence=True, pooling="mean_std"),
    EncoderSettings("transformer", blocks=3, joined=32, stride=5, classes=3, stream="bone", embedding=16),
])  # fmt: skip
def test_folded_and_exported_model_gives_the_same(settings: EncoderSettings, tmp_path: Path) -> None:
    encoder = trained(settings)
    clip = clips(5, 32)
    logits, embedding = encoder(clip)
    assert logits.shape == (5, settings.classes)
    assert embedding.shape == (5, encoder.embedding_size)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(5))
    for a, b in zip(encoder(clip), fold(encoder)(clip), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    write_onnx(encoder, 32, tmp_path / "model.onnx")
    assert parity(encoder, tmp_path / "model.onnx", clip.numpy()) <= 1e-4
    graph = onnx.load(str(tmp_path / "model.onnx"))
    assert {node.domain for node in graph.graph.node} == {""}
    assert not {"Einsum", "BatchNormalization"} & {node.op_type for node in graph.graph.node}
    assert graph.opset_import[0].version >= 17


def test_a_fixed_batch_takes_any_number_of_clips_all_the_same(tmp_path: Path) -> None:
    encoder = trained(EncoderSettings(width=4, blocks=3, classes=2))
    write_onnx(encoder, 16, tmp_path / "model.onnx", batch=4)
    graph = onnx.load(str(tmp_path / "model.onnx")).graph
    assert [value.type.tensor_type.shape.dim[0].dim_value for value in (*graph.input, *graph.output)] == [4, 4, 4]
    for count in (1, 4, 9):
        assert parity(encoder, tmp_path / "model.onnx", clips(count, 16).numpy()) <= 1e-4


def test_published_sizes() -> None:
    def parameters(settings: EncoderSettings) -> float:
        return sum(p.numel() for p in Encoder(settings).parameters()) / 1e6

    # ST-GCN's 3.1 M, and AimCLR's 0.85 M at width 16 with 256 features (which counts a BatchNorm on the input, too).
    assert parameters(EncoderSettings(width=64)) == pytest.approx(3.1, abs=0.05)
    assert parameters(EncoderSettings(width=16, features=256)) == pytest.approx(0.85, abs=0.05)


def test_graph_convolution_equals_the_sum_over_parts_and_neighbours() -> None:
    """Against ST-GCN's definition written as loops: sum over the parts of W_k x A_k, in this order of operations."""
    torch.manual_seed(0)
    layer = GraphConvolution(2, 3).eval()
    with torch.no_grad():
        layer.importance.uniform_(0.5, 1.5)
    x = torch.randn(1, 2, 4, 25)
    weight = layer.convolution.weight.detach().numpy()[:, :, 0, 0].reshape(3, 3, 2)  # (out, part, in)
    edges = adjacency() * layer.importance.detach().numpy()
    expected = np.zeros((3, 4, 25))
    for part in range(3):
        for i, j in zip(*np.nonzero(edges[part]), strict=True):
            expected[:, :, i] += edges[part, i, j] * weight[:, part] @ x[0, :, :, j].numpy()
    expected /= np.sqrt(1 + layer.norm.eps)
    np.testing.assert_allclose(layer(x)[0].detach().numpy(), expected, atol=1e-5)


SMALL = """
import torch
from train.model.encoder import Block

torch.manual_seed(0)
torch.set_num_threads(1)
for channels in (3, 8):
    small = Block(channels, 2 * channels, 2, 9, True).to(memory_format=torch.channels_last)
    for _ in range(10):
        clip = torch.randn(32, channels, 64, 25).to(memory_format=torch.channels_last).requires_grad_()
        small(clip).square().sum().backward()
"""


def test_a_small_network_trains_without_writing_beyond_its_memory() -> None:
    """In a process of its own, which a memory error ends."""
    done = subprocess.run([sys.executable, "-c", SMALL], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr[-500:]


def test_frames_that_are_taken_first_give_what_the_convolution_would() -> None:
    block = Block(8, 16, 2, 9, True).train()
    clip = torch.randn(2, 8, 13, 25, generator=torch.manual_seed(0))
    assert block.residual is not None
    torch.testing.assert_close(block._beside(clip), block.residual(clip))


@pytest.mark.parametrize("stream", STREAMS)
def test_a_missing_joint_is_zero_in_every_stream(stream: str) -> None:
    clip = clips(2, 8)
    hand, wrist = NTU25.index("left_hand"), NTU25.index("left_wrist")
    clip[..., hand] = 0
    clip[..., wrist] = 1.5
    out = Stream(stream, presence=True)(clip)
    assert out.shape == (2, 4, 8, 25)
    assert (out[..., hand] == 0).all()
    assert (out[:, 3, :, wrist] == 1).all()


def test_bones_are_joint_minus_parent_and_motion_is_next_minus_this() -> None:
    clip = torch.randn(1, 3, 4, 25)
    elbow, wrist = NTU25.index("right_elbow"), NTU25.index("right_wrist")
    bones = Stream("bone", presence=False)(clip)
    torch.testing.assert_close(bones[..., wrist], clip[..., wrist] - clip[..., elbow])
    assert (bones[..., NTU25.index("spine_shoulder")] == 0).all()
    motion = Stream("motion", presence=False)(clip)
    torch.testing.assert_close(motion[:, :, 1], clip[:, :, 2] - clip[:, :, 1])
    assert (motion[:, :, -1] == 0).all()


def test_an_empty_clip_gives_finite_outputs_and_gradients() -> None:
    encoder = Encoder(EncoderSettings(width=4, blocks=3, classes=2, presence=True, pooling="mean_std"))
    logits, embedding = encoder(torch.zeros(4, 3, 16, 25))
    (logits.sum() + embedding.sum()).backward()
    assert torch.isfinite(logits).all()
    assert torch.isfinite(embedding).all()
    assert all(torch.isfinite(p.grad).all() for p in encoder.parameters() if p.grad is not None)


@pytest.mark.parametrize("wrong", [
    {"stream": "sound"}, {"blocks": 11}, {"width": 0}, {"temporal_kernel": 4}, {"blocks": 6, "graph_blocks": 6},
])  # fmt: skip
def test_settings_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="--"):
        EncoderSettings(**wrong)  # type: ignore[arg-type]


def test_bundle_is_exported_and_a_wrong_model_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = EncoderSettings(width=4, blocks=3, classes=2)
    encoder, about = trained(settings), About(settings, ClipSpec(frames=16), ["attentive", "distracted"], "a test")
    compared = clips(8, 16).numpy()
    made, difference = export_bundle(
        encoder, about, tmp_path / "bundle", compared, name="test", distraction=["distracted"]
    )
    assert difference <= 1e-4
    assert Bundle.open(tmp_path / "bundle").manifest == made.manifest
    assert made.manifest.clip == about.clip
    monkeypatch.setattr("train.model.exported.fold", lambda encoder: fold(Encoder(encoder.settings)))  # other weights
    with pytest.raises(BundleError, match="differ"):
        export_bundle(encoder, about, tmp_path / "wrong", compared, name="test", distraction=[])
    assert not (tmp_path / "wrong").exists()
