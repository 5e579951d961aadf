"""The skeleton encoder: ST-GCN in a form that convolution engines and INT8 like.

Yan et al., "Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action Recognition" (AAAI 2018): ten
blocks of graph convolution and temporal convolution. Here each graph convolution gathers the neighbours first (a
MatMul on a constant for each part of the neighbourhood) and then applies one bias-free 1x1 convolution, so that no
Einsum is needed and every BatchNorm folds into a convolution. There is no BatchNorm on the input, for the same reason:
clips arrive normalised to the body. `fold` makes the form that is exported.

Its mean over joints forgets which of them moved. With `graph_blocks` the joints are joined by a convolution after so
many blocks, and the rest are temporal.
"""

from __future__ import annotations

import copy
from importlib import import_module

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge_c2vl.skeletons.skeleton import NTU25, adjacency
from train.settings.training import ENCODERS, EncoderSettings


class GraphConvolution(nn.Module):
    """Gathers neighbours by `A * M` (M learnt: "edge importance"), then one 1x1 convolution and BatchNorm.

    (N, C, T, V) -> (N, C', T, V). adaptive: by `A * M + B`, where B is learnt and knows no skeleton (Shi et al.,
    "Two-Stream Adaptive Graph Convolutional Networks", CVPR 2019, section 3.2): hand and head are many bones apart.
    joint_bias: a constant of each joint's own is added. Shared weights tell a left wrist from a right one only by their
    place in the graph; ST-GCN's BatchNorm on the input did it by a scale and shift of each joint, which does not fold.
    """

    adjacency: Tensor

    def __init__(self, channels_in: int, channels_out: int, joint_bias: bool = False, adaptive: bool = False) -> None:
        super().__init__()
        graph = torch.from_numpy(adjacency())  # (3, V, V): row i gathers what joint i receives
        self.register_buffer("adjacency", graph, persistent=False)
        self.importance = nn.Parameter(torch.ones_like(graph))
        self.learnt = nn.Parameter(torch.zeros_like(graph)) if adaptive else None
        self.convolution = nn.Conv2d(len(graph) * channels_in, channels_out, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)
        self.joint_bias = nn.Parameter(torch.zeros(channels_out, 1, NTU25.size)) if joint_bias else None

    def graph(self) -> Tensor:
        """(3, V, V): what is gathered, the constant of a folded encoder."""
        known = self.adjacency * self.importance
        return known if self.learnt is None else known + self.learnt

    def forward(self, x: Tensor) -> Tensor:
        weights = self.graph().transpose(1, 2)
        # Three MatMuls side by side train faster than one, be it broadcast or with the channels last as when folded.
        gathered = torch.cat([torch.matmul(x, part) for part in weights.unbind(0)], dim=1)
        result: Tensor = self.norm(self.convolution(gathered))
        return result if self.joint_bias is None else result + self.joint_bias


class FoldedGraphConvolution(nn.Module):
    """A graph convolution for inference: the same to rounding, its BatchNorm folded, with the channels last in between.

    One MatMul gathers for all three parts, and what it gives stands in memory as the 1x1 convolution's input does, part
    by part: nothing is copied together. INT8 kernels on a CPU work with the channels last anyway, so the transpositions
    vanish, and a width-64 encoder takes 13 % less time there; in FP32 it is the same.
    """

    gathering: Tensor

    def __init__(self, trained: GraphConvolution) -> None:
        super().__init__()
        joints = NTU25.size
        gathering = trained.graph().permute(1, 0, 2).reshape(-1, joints)  # row (v, k): what joint v receives by part k
        self.register_buffer("gathering", gathering.contiguous())
        self.convolution = _folded(trained.convolution, trained.norm)
        self.joint_bias = trained.joint_bias

    def forward(self, x: Tensor) -> Tensor:
        _, channels, frames, joints = x.shape
        gathered = torch.matmul(self.gathering, x.permute(0, 2, 3, 1))  # (N, T, 3 V, C)
        beside = gathered.reshape(-1, int(frames), int(joints), 3 * int(channels))
        result: Tensor = self.convolution(beside.permute(0, 3, 1, 2))
        return result if self.joint_bias is None else result + self.joint_bias


# With fewer channels than these, which come last, oneDNN's gradient of a 1x1 convolution with a stride writes beyond
# its memory (PyTorch 2.13, AVX-512).
FEWEST_CHANNELS = 16


class Block(nn.Module):
    """Graph convolution, temporal convolution, residual. (N, C, T, V) -> (N, C', ceil(T / stride), V)."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        stride: int,
        kernel: int,
        residual: bool,
        joint_bias: bool = False,
        adaptive: bool = False,
    ) -> None:
        super().__init__()
        self.graph: GraphConvolution | FoldedGraphConvolution = GraphConvolution(
            channels_in, channels_out, joint_bias, adaptive
        )
        self.temporal = nn.Sequential(
            nn.Conv2d(channels_out, channels_out, (kernel, 1), (stride, 1), (kernel // 2, 0), bias=False),
            nn.BatchNorm2d(channels_out),
        )
        self.residual: nn.Module | None = None
        if residual and (channels_in != channels_out or stride != 1):
            self.residual = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, (stride, 1), bias=False), nn.BatchNorm2d(channels_out)
            )
        elif residual:
            self.residual = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.temporal(F.relu(self.graph(x)))
        return F.relu(y if self.residual is None else y + self._beside(x))

    def _beside(self, x: Tensor) -> Tensor:
        """The residual. Where oneDNN fails, the frames are taken first, and the convolution has no stride."""
        assert self.residual is not None
        if not self.training or not isinstance(self.residual, nn.Sequential) or x.shape[1] >= FEWEST_CHANNELS:
            return self.residual(x)
        convolution, norm = self.residual
        assert isinstance(convolution, nn.Conv2d)
        every = x[:, :, :: convolution.stride[0]]
        return norm(F.conv2d(every, convolution.weight))


class JoinedBlock(nn.Module):
    """Temporal convolution and residual of joined joints. (N, C, T, 1) -> (N, C, ceil(T / stride), 1).

    The residual has no weights (a longer step takes the mean of its frames), and the convolution beside it begins
    small: what was measured on the joints reaches the end nearly as it is (Goyal et al., "Accurate, Large Minibatch
    SGD", 2017, section 5.1, begin at 0).
    """

    BEGINS = 0.3

    def __init__(self, channels: int, stride: int, kernel: int) -> None:
        super().__init__()
        norm = nn.BatchNorm2d(channels)
        nn.init.constant_(norm.weight, self.BEGINS)
        convolution = nn.Conv2d(channels, channels, (kernel, 1), (stride, 1), (kernel // 2, 0), bias=False)
        self.temporal = nn.Sequential(convolution, norm)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        residual = x if self.stride == 1 else F.avg_pool2d(x, (self.stride, 1), ceil_mode=True)
        return F.relu(self.temporal(x) + residual)


def dense(channels_in: int, channels_out: int, joints: int) -> nn.Module:
    """Convolution, BatchNorm and ReLU over all joints, which it joins, or over one: (N, C, T, V) -> (N, C', T, 1)."""
    convolution = nn.Conv2d(channels_in, channels_out, (1, joints), bias=False)
    return nn.Sequential(nn.Sequential(convolution, nn.BatchNorm2d(channels_out)), nn.ReLU())


class Stream(nn.Module):
    """What the blocks see of a clip (N, 3, T, V): positions, bones or motion, and optionally who is present.

    It stands inside the network so that every stream's model takes the same clip. A bone or a motion with a missing end
    is 0, as a missing joint is.
    """

    parents: Tensor

    def __init__(self, stream: str, presence: bool) -> None:
        super().__init__()
        self.stream, self.presence = stream, presence
        parents = torch.eye(NTU25.size)
        for parent, child in NTU25.bones:
            parents[child, child], parents[child, parent] = 0, 1
        self.register_buffer("parents", parents.T.contiguous(), persistent=False)  # (V, V), applied from the right

    @property
    def channels(self) -> int:
        return 4 if self.presence else 3

    def forward(self, clip: Tensor) -> Tensor:
        if self.stream == "joint" and not self.presence:
            return clip
        seen = (clip.abs().sum(dim=1, keepdim=True) > 0).to(clip.dtype)  # (N, 1, T, V)
        data = clip
        if self.stream == "bone":
            data = (clip - clip @ self.parents) * seen * (seen @ self.parents)
        elif self.stream == "motion":
            moved = (clip[:, :, 1:] - clip[:, :, :-1]) * seen[:, :, 1:] * seen[:, :, :-1]
            data = torch.cat([moved, torch.zeros_like(clip[:, :, :1])], dim=2)
        return torch.cat([data, seen], dim=1) if self.presence else data


class Encoder(nn.Module):
    """ST-GCN: a clip (N, 3, T, 25) -> logits (N, K) and an embedding (N, D) of unit length."""

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__()
        self.settings = settings
        self.stream = Stream(settings.stream, settings.presence)
        channels, kernel = self.stream.channels, settings.temporal_kernel
        blocks: list[nn.Module] = []
        for index, (channels_out, stride) in enumerate(settings.stages):
            # The first block has no residual: three coordinates are no features to add to.
            first, joined = index == 0, 0 < settings.graph_blocks <= index
            if joined and index == settings.graph_blocks:
                blocks.append(dense(channels, channels_out, NTU25.size))
            if joined:
                blocks.append(JoinedBlock(channels_out, stride, kernel))
            else:
                bias = first and settings.joint_bias
                blocks.append(Block(channels, channels_out, stride, kernel, not first, bias, settings.adaptive))
            channels = channels_out
        if settings.graph_blocks and settings.features:
            blocks.append(dense(channels, settings.features, 1))
            channels = settings.features
        self.blocks = nn.Sequential(*blocks)
        self._add_heads(channels * (2 if settings.pooling == "mean_std" else 1))

    def _add_heads(self, feature_size: int) -> None:
        """What every network has behind its features, and the first weights of all."""
        settings = self.settings
        self.feature_size = feature_size
        self.dropout = nn.Dropout(settings.dropout)
        self.classifier: nn.Module | None = nn.Linear(feature_size, settings.classes) if settings.classes else None
        self.projection = nn.Linear(feature_size, settings.embedding) if settings.embedding else None
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @property
    def embedding_size(self) -> int:
        return self.settings.embedding or self.feature_size

    @property
    def map_channels(self) -> int:
        """C of `maps`."""
        return self.feature_size // (2 if self.settings.pooling == "mean_std" else 1)

    def maps(self, clip: Tensor) -> Tensor:
        """(N, 3, T, 25) -> (N, C, T', V'): features of each place; V' is 1 where joints were joined."""
        result: Tensor = self.blocks(self.stream(clip))
        return result

    def at_places(self, values: Tensor, maps: Tensor) -> Tensor:
        """(N, T, 25), a number of each joint at each frame -> (N, T', V'): its mean over each place of `maps`."""
        return F.adaptive_avg_pool2d(values[:, None], (maps.shape[2], maps.shape[3]))[:, 0]

    def features(self, clip: Tensor) -> Tensor:
        """(N, 3, T, 25) -> (N, F): what linear probes and other heads are built on."""
        return self.pool(self.maps(clip))

    def pool(self, maps: Tensor) -> Tensor:
        """(N, C, T', V') -> (N, F)."""
        if self.settings.pooling == "mean":
            return maps.mean(dim=(2, 3))
        over_joints = maps.mean(dim=3)  # (N, C, T')
        mean = over_joints.mean(dim=2)
        # Written out because ONNX has no standard deviation; 1e-6 keeps the root's gradient finite on a still clip.
        spread = (((over_joints - mean.unsqueeze(2)) ** 2).mean(dim=2) + 1e-6).sqrt()
        return torch.cat([mean, spread], dim=1)

    def heads(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(N, F) -> logits (N, K), embedding (N, D) unit length. K = 0 without a classifier."""
        dropped = self.dropout(features)
        logits = features[:, :0] if self.classifier is None else self.classifier(dropped)
        embedding = features if self.projection is None else self.projection(features)
        return logits, unit_length(embedding)

    def forward(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        return self.heads(self.features(clip))


def make_encoder(settings: EncoderSettings) -> Encoder:
    """The network that settings.network names: one of train.settings.training.ENCODERS."""
    module, name = ENCODERS[settings.network].split(":")
    encoder: Encoder = getattr(import_module(module), name)(settings)
    return encoder


def unit_length(x: Tensor) -> Tensor:
    """(N, D) -> (N, D), each row scaled to length 1; a row of zeros stays 0."""
    return x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-12)


def fold(encoder: Encoder) -> Encoder:
    """A copy for inference: every BatchNorm folded into the convolution before it, `A * M` multiplied out.

    The copy computes the same to rounding (Jacob et al., CVPR 2018, section 3.2), is in eval mode and cannot be
    trained further.
    """
    folded = type(encoder)(encoder.settings)
    folded.load_state_dict(encoder.state_dict())
    folded.eval()
    with torch.no_grad():
        for module in list(folded.modules()):
            if isinstance(module, Block) and isinstance(module.graph, GraphConvolution):
                module.graph = FoldedGraphConvolution(module.graph)
            elif isinstance(module, nn.Sequential) and len(module) == 2:
                convolution, norm = module
                if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    module[0], module[1] = _folded(convolution, norm), nn.Identity()
    return folded.requires_grad_(False)


def _folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """One convolution with a bias that computes the same as both. `convolution` has no bias."""
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("a BatchNorm without running statistics cannot be folded")
    result = copy.deepcopy(convolution)
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    result.weight.copy_(convolution.weight * scale[:, None, None, None])
    result.bias = nn.Parameter(norm.bias - norm.running_mean * scale)
    return result
