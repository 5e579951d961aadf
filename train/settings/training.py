"""The settings of training: encoder, augmentation, data, loop. No PyTorch here, so that commands list them fast."""

from __future__ import annotations

from dataclasses import dataclass

from edge_c2vl.errors import UsageError
from edge_c2vl.settings.fields import check, setting

# What a setting "split" names.
SPLIT = "Column of the archive with train / val / test, or subject:K/N, fold K of N by subject"
JOINT_CHOICES = ("all", "upper")
JOINTS_HELP = "Joints that are seen: all that the archive has, or its upper body without hands, as inside a vehicle."
# name -> "module:class". The class takes EncoderSettings and is train.model.encoder.Encoder or a subclass with `maps`
# of its own, whose __init__ ends with `_add_heads`. A BatchNorm stands in an nn.Sequential of two, behind its
# convolution, so that it folds.
ENCODERS = {
    "st-gcn": "train.model.encoder:Encoder",
    "spans": "train.model.spans:SpanEncoder",
    "transformer": "train.model.transformer:Transformer",
}
# For options that only some networks read (`needs` of `setting`): the graph's own, and those of every other network.
_OF_GRAPH = ("network=st-gcn",)
_OF_OTHERS = tuple(f"network={name}" for name in ENCODERS if name != "st-gcn")
# What every generator of random numbers takes.
LARGEST_SEED = 2**31 - 1
# Channels of a head of the transformer's attention.
HEAD_CHANNELS = 32
STREAMS = ("joint", "bone", "motion")
POOLINGS = ("mean", "mean_std")
# The published ten blocks: (channels as multiples of the width, temporal stride).
_BLOCKS = ((1, 1), (1, 1), (1, 1), (1, 1), (2, 2), (2, 1), (2, 1), (4, 2), (4, 1), (4, 1))


@dataclass(frozen=True)
class EncoderSettings:
    """The encoder's form; kept in each checkpoint."""

    network: str = setting(
        "st-gcn",
        "Which network; spans: layers that see a few frames (--stride) with all joints at once; transformer: attention "
        "between parts of the body and times.",
        tuple(ENCODERS),
    )
    width: int = setting(
        16,
        "Channels of the first stage; doubled twice. 16 or 64 in the literature.",
        needs=_OF_GRAPH,
        least=1,
        most=4096,
    )
    blocks: int = setting(
        10, "How many of the ten blocks, spread over the three stages; of other networks: layers.", least=3, most=10
    )
    graph_blocks: int = setting(
        0,
        "Blocks that keep the joints apart; then one convolution joins them, and the rest see all. 0: every block.",
        needs=_OF_GRAPH,
        least=0,
    )
    joined: int = setting(
        128,
        "Channels of the blocks that see all joints at once, or of another network's layers.",
        needs=("graph_blocks", *_OF_OTHERS),
        least=1,
        most=16384,
    )
    stride: int = setting(
        1, "Temporal stride of the first block, or the frames of a span or patch.", least=1, most=1000
    )
    temporal_kernel: int = setting(9, "Frames that a temporal convolution spans.", needs=_OF_GRAPH, least=1, most=999)
    stream: str = setting(
        "joint", "What is seen of a clip: positions, bones (joint minus its parent), motion (next minus this).", STREAMS
    )
    presence: bool = setting(False, "Add a channel that is 1 where a joint was seen.")
    joint_bias: bool = setting(
        False, "Tell the first block which joint is which, by a bias of each joint's own.", needs=_OF_GRAPH
    )
    adaptive: bool = setting(
        False,
        "Learn edges beside the skeleton's own, between any two joints; free at inference.",
        needs=_OF_GRAPH,
    )
    pooling: str = setting("mean", "Mean over time and joints, or mean and standard deviation over time.", POOLINGS)
    features: int = setting(
        0,
        "Channels of the last block (256 at width 16 in AimCLR), or of a 1x1 convolution behind joined ones; "
        "0: four times the width, or those that were joined.",
        needs=_OF_GRAPH,
        least=0,
        most=16384,
    )
    embedding: int = setting(0, "Size of the unit-length embedding; 0: the features themselves.", least=0, most=16384)
    dropout: float = setting(0.0, "Share of the features dropped before the classifier.", least=0, most=0.99)
    classes: int = 0  # K; 0: no classifier. Set by the data, so it is no flag.

    def __post_init__(self) -> None:
        check(self)
        if not 0 <= self.graph_blocks < self.blocks:
            raise UsageError(f"--graph-blocks is between 0 and {self.blocks - 1}, not {self.graph_blocks}")
        if self.temporal_kernel % 2 == 0:
            raise UsageError(f"--temporal-kernel is odd, not {self.temporal_kernel}")
        if self.network == "transformer" and self.joined % HEAD_CHANNELS:
            raise UsageError(f"--joined is a multiple of {HEAD_CHANNELS} with --network transformer, not {self.joined}")

    @property
    def stages(self) -> list[tuple[int, int]]:
        """(channels, temporal stride) of each block: the first of every stage is kept, later ones are left out."""
        if self.blocks == len(_BLOCKS):
            kept = list(range(len(_BLOCKS)))
        else:
            order = (0, 4, 7, 1, 5, 8, 2, 6, 9, 3)
            kept = sorted(order[: self.blocks])
        stages = [(_BLOCKS[index][0] * self.width, _BLOCKS[index][1]) for index in kept]
        stages[0] = (stages[0][0], self.stride)
        if self.graph_blocks:
            return stages[: self.graph_blocks] + [(self.joined, step) for _, step in stages[self.graph_blocks :]]
        stages[-1] = (self.features or stages[-1][0], stages[-1][1])
        return stages


@dataclass(frozen=True)
class AugmentSettings:
    """How strongly clips are varied. 0 switches a variation off."""

    shear: float = setting(0.0, "Largest entry of the shear matrix (0.5 in AimCLR's normal set).", least=0, most=10)
    crop: float = setting(
        1.0, "Shortest temporal crop, as a share of the clip; it is stretched to full length.", above=0, most=1
    )
    hold: float = setting(
        0.0, "Probability that a clip holds one of its frames throughout, as a picture does.", least=0, most=1
    )
    rotate: float = setting(0.0, "Largest roll about the viewing axis, degrees.", least=0, most=180)
    view: float = setting(
        0.0, "Largest turn about the vertical axis, degrees; 2-D clips are narrowed accordingly.", least=0, most=180
    )
    mirror: float = setting(0.0, "Probability of the mirror image.", least=0, most=1)
    scale: float = setting(0.0, "Largest change of the body's size, as a share of it.", least=0, most=0.99)
    shift: float = setting(
        0.0, "Standard deviation of a displacement of the whole body, shoulder breadths.", least=0, most=100
    )
    jitter: float = setting(
        0.0, "Standard deviation of noise on each joint and frame, shoulder breadths.", least=0, most=100
    )
    offset: float = setting(
        0.0, "Standard deviation of a joint's displacement over the whole clip, shoulder breadths.", least=0, most=100
    )
    mask_joints: float = setting(0.0, "Probability that a joint is hidden throughout.", least=0, most=1)
    mask_lower: float = setting(
        0.0, "Probability that all of hips and legs are hidden, as behind a dashboard.", least=0, most=1
    )
    mask_legs: float = setting(0.0, "Probability that knees, ankles and feet are hidden.", least=0, most=1)
    mask_arm: float = setting(
        0.0, "Probability that one forearm is hidden, as behind the body or outside the picture.", least=0, most=1
    )
    mask_span: float = setting(
        0.0, "Probability that a joint is hidden for a random part of the clip.", least=0, most=1
    )


@dataclass(frozen=True)
class DataSettings:
    """Which windows of an archive are trained on, and how they become clips."""

    split: str = setting("", f"{SPLIT}; empty: all is trained on.")
    joints: str = setting("all", JOINTS_HELP, JOINT_CHOICES)
    frames: int = setting(64, "Frames T of a clip.", least=2, most=10_000)
    seconds: float = setting(
        0.0, "Length of a window; 0: each recording is one clip, however long.", least=0, most=3600
    )
    hop_s: float = setting(1.0, "Seconds between windows.", needs=("seconds",), above=0, most=3600)
    facing: bool = setting(False, "Turn every body to face the camera (3-D archives).")
    share: float = setting(
        1.0, "Share of the training clips of each class that is used (0.01 and 0.1 in the literature).", above=0, most=1
    )
    shots: int = setting(0, "Training clips of each class that are used; 0: all of --share.", least=0)
    balance: bool = setting(False, "Draw every class equally often.")
    balance_by: str = setting(
        "", "Column of the archive: within a class each of its values is drawn equally often; with --balance."
    )
    shares: str = setting(
        "",
        "LABEL=SHARE,...: how much of an epoch these labels are; LABEL@VALUE: with that value in the column of "
        "--balance-by; the others share the rest. With --balance.",
    )
    epoch_clips: int = setting(0, "Clips an epoch, drawn anew each time; 0: as many as there are.", least=0)
    smoothing: float = setting(0.0, "Label smoothing.", least=0, most=0.99)

    def __post_init__(self) -> None:
        check(self)
        if self.balance_by and not self.balance:
            raise UsageError("--balance-by says what is balanced within each class: give --balance too")
        if self.shares and not self.balance:
            raise UsageError("--shares says how labels are balanced: give --balance too")
        if sum(self.shares_of.values()) > 1:
            raise UsageError(f"--shares {self.shares}: the shares come to more than 1")
        if self.shots and self.share < 1:
            raise UsageError("--shots stands for itself: say it or --share")

    @property
    def shares_of(self) -> dict[str, float]:
        """`shares` read. Raises UsageError."""
        shares: dict[str, float] = {}
        for part in filter(None, self.shares.split(",")):
            label, _, share = part.partition("=")
            try:
                shares[label.strip()] = float(share)
            except ValueError:
                raise UsageError(f"--shares {self.shares}: expected LABEL=SHARE,...") from None
            if not 0 < shares[label.strip()] <= 1:
                raise UsageError(f"--shares {self.shares}: a share lies in (0, 1]")
        return shares


@dataclass(frozen=True)
class LoopSettings:
    """The loop: how long, how fast, on what, and what is kept."""

    epochs: int = setting(30, "Epochs.", least=1)
    batch_size: int = setting(64, "Clips a step and a process.", least=1)
    accumulate: int = setting(1, "Batches whose gradients are added before a step.", least=1)
    optimiser: str = setting("adamw", "Optimiser.", ("adamw", "sgd"))
    learning_rate: float = setting(1e-3, "Highest learning rate; 0: nothing is learnt.", least=0, most=100)
    weight_decay: float = setting(0.01, "Weight decay; biases and norms are spared.", least=0, most=100)
    warmup_epochs: float = setting(
        1.0, "Epochs over which the learning rate rises; then it falls along a cosine.", least=0
    )
    clip_gradient: float = setting(1.0, "Longest gradient (L2 norm of all); 0: no limit.", least=0)
    average: float = setting(
        0.0, "Decay of the moving average of the weights that is kept as the model; 0: the last.", least=0, most=1
    )
    seed: int = setting(0, "Seed of everything that is random.", least=0, most=LARGEST_SEED)
    precision: str = setting("32-true", "Number format.", ("32-true", "bf16-mixed", "16-mixed"))
    accelerator: str = setting("auto", "Where it runs.", ("auto", "cpu", "cuda", "mps"))
    devices: int = setting(1, "Processes (GPUs) a machine; torchrun sets it by itself.", least=1)
    nodes: int = setting(1, "Machines.", least=1)
    threads: int = setting(0, "CPU threads of PyTorch; 0: its own choice.", least=0, most=1024)
    checkpoint_every: int = setting(1, "Epochs between checkpoints.", least=1)
    evaluate_every: int = setting(0, "Epochs between evaluations; 0: only at the end.", least=0)
    tensorboard: bool = setting(True, "Write TensorBoard event files into the run folder.")

    def __post_init__(self) -> None:
        check(self)
        if self.average == 1:
            raise UsageError("--average is a decay below 1; at 1 the first weights would stay")
