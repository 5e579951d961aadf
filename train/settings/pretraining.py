"""The settings of pretraining: method, knowledge, objective. No PyTorch here, so that commands list them fast."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from edge_c2vl.errors import UsageError
from edge_c2vl.settings.fields import check, setting
from train.settings.training import JOINT_CHOICES, JOINTS_HELP, SPLIT


@dataclass(frozen=True)
class Method:
    """task: "module:function" that makes the run's Task (train/methods/base.py); empty: nothing is trained. knowledge:
    whether it learns from knowledge banks, and cannot do without. windows: whether it takes the windows of a bank
    without its knowledge. views: whether it compares two variations of a clip with each other. teacher: whether it
    learns from a pretrained encoder."""

    task: str
    knowledge: bool = False
    windows: bool = False
    views: bool = False
    teacher: bool = False


METHODS = {
    "c2vl": Method("train.methods.c2vl:make_task", knowledge=True),
    "skeleton-clr": Method("train.methods.skeleton_clr:make_task", views=True),
    "slim": Method("train.methods.slim:make_task"),
    "distil": Method("train.methods.distil:make_task", windows=True, teacher=True),
    "random": Method(""),
}
PREPARATIONS = ("none", "centre", "whiten")
# Whose knowledge a recording gets by mistake (train/knowledge/mistakes.py).
MISTAKES = ("any", "class", "side", "previous")
# What options need that are of some methods alone (see `setting`).
_OF_C2VL, _OF_SLIM, _OF_SKELETON_CLR = ("method=c2vl",), ("method=slim", "skeleton_weight"), ("method=skeleton-clr",)
_WITHOUT_BANK = tuple(f"method={name}" for name, method in METHODS.items() if not method.knowledge)
_WITH_EMA = tuple(f"method={name}" for name, method in METHODS.items() if method.task and not method.teacher)
SCHEDULES = ("constant", "linear", "cosine", "step")
# CLIP's bound on 1 / tau: without it a batch that is told apart perfectly drives the temperature to 0.
MAX_SCALE = 100.0


_part = partial(setting, needs=_OF_C2VL)


@dataclass(frozen=True)
class ObjectiveSettings:
    """The parts of C2VL's objective; each can be switched off."""

    softening: float = _part(0.9, "a at its highest: the share of the soft targets; 0: hard InfoNCE.", least=0, most=1)
    schedule: str = _part("linear", "How a rises between soften-from and soften-to.", SCHEDULES)
    soften_from: float = _part(
        0.0, "Share of training after which a begins to rise, and clips are weighted.", least=0, most=1
    )
    soften_to: float = _part(
        1.0, "Share of training after which a is at its highest (step: all at once).", least=0, most=1
    )
    self_similarity: bool = _part(True, "Soft targets from the knowledge's similarity to itself.")
    cross_consistency: bool = _part(True, "Soft targets from the EMA student.")
    cycle_consistency: bool = _part(
        False, "The EMA student's targets favour candidates that fit their own knowledge (Lerch et al., 2026)."
    )
    own_similarity: bool = _part(
        False, "From knowledge to skeletons self-similarity is the EMA student's, not the knowledge's (Lerch et al.)."
    )
    balance: float = _part(0.5, "b: the share of self-similarity where both kinds are on.", least=0, most=1)
    temperature: float = _part(
        0.2, "tau of the student; at the start, where it is learnt.", least=1 / MAX_SCALE, most=100
    )
    # A learnt temperature falls until a batch is solved, and little is learnt after that (docs/experiments.md).
    learn_temperature: bool = _part(False, "Learn tau, as CLIP does.")
    self_temperature: float = _part(0.1, "tau_a of the self-similarity targets.", above=0, most=100)
    cross_temperature: float = _part(0.1, "tau_c of the cross-consistency targets.", above=0, most=100)
    pair_temperature: float = _part(
        0.07,
        "Temperature of how well a pair fits, with --cycle-consistency.",
        needs=("cycle_consistency",),
        above=0,
        most=100,
    )
    least_weight: float = _part(
        1.0,
        "Weight of a clip that fits its knowledge worst, against wrong knowledge (0.25 in Lerch et al.); 1: off.",
        above=0,
        most=1,
    )
    weight_spread: float = _part(
        0.5,
        "How gently weights fall: share of the standard deviation of pairs' cosines.",
        needs=("least_weight",),
        above=0,
        most=100,
    )
    queue: int = _part(0, "Past clips that serve as further candidates; 0: the batch alone.", least=0)
    share_duplicates: bool = _part(True, "Clips with the same knowledge share the target instead of being negatives.")

    def __post_init__(self) -> None:
        check(self)
        if self.soften_from > self.soften_to:
            raise UsageError("--soften-from is at most --soften-to")
        if self.cycle_consistency and not self.cross_consistency:
            raise UsageError("--cycle-consistency changes the targets that --no-cross-consistency switches off")
        if self.own_similarity and not self.self_similarity:
            raise UsageError("--own-similarity changes the targets that --no-self-similarity switches off")

    @property
    def self_share(self) -> float:
        """b, or 1 or 0 where one kind of soft target is switched off."""
        if self.self_similarity and self.cross_consistency:
            return self.balance
        return 1.0 if self.self_similarity else 0.0

    @property
    def needs_teacher(self) -> bool:
        """Whether the EMA student is used: for the cross-consistency targets, its own similarity, and the queue's
        skeletons."""
        consistency = self.cross_consistency and self.self_share < 1
        similarity = self.self_similarity and self.own_similarity and self.self_share > 0
        return self.queue > 0 or (self.softening > 0 and (consistency or similarity))

    def weight(self, progress: float) -> float:
        """a(e) at `progress`, the share of training that is done, in [0, 1]."""
        if not (self.self_similarity or self.cross_consistency):
            return 0.0
        span = self.soften_to - self.soften_from
        if self.schedule == "constant":
            done = 1.0
        elif self.schedule == "step" or span == 0:
            done = float(progress >= self.soften_to)
        else:
            done = min(max((progress - self.soften_from) / span, 0.0), 1.0)
        if self.schedule == "cosine":
            done = (1 - math.cos(math.pi * done)) / 2
        return self.softening * done


@dataclass(frozen=True)
class PretrainSettings:
    """What is learnt from, and the networks beside the encoder."""

    method: str = setting(
        "c2vl",
        "c2vl; skeleton-clr (MoCo on skeletons alone); slim (masked features and views of skeletons alone); distil "
        "(the embedding of --teacher); random: the encoder as it is initialised.",
        tuple(METHODS),
    )
    teacher: str = setting(
        "", "distil: the pretrained encoder that is learnt from, a model or its run's folder.", needs=("method=distil",)
    )
    split: str = setting("", f"{SPLIT}: only the train part is learnt from; empty: everything.")
    joints: str = setting("all", JOINTS_HELP, JOINT_CHOICES)
    frames: int = setting(64, "Frames T of a clip.", least=2, most=10_000)
    facing: bool = setting(False, "Turn every body to face the camera (3-D archives).")
    upright: bool = setting(False, "Put every body along gravity, as its camera's clips tell it (3-D archives).")
    seconds: float = setting(
        0.0,
        "Without a bank: length of a window; 0: each recording is one clip, however long.",
        needs=_WITHOUT_BANK,
        least=0,
        most=3600,
    )
    hop_s: float = setting(1.0, "Without a bank: seconds between windows.", needs=_WITHOUT_BANK, above=0, most=3600)
    prepare: str = setting(
        "centre",
        "The knowledge's mean is taken off, or it is made white too: captions of one data set are all alike.",
        PREPARATIONS,
        needs=_OF_C2VL,
    )
    knowledge_size: int = setting(
        0, "Principal components of the knowledge that are kept at most; 0: all.", needs=_OF_C2VL, least=0
    )
    join: bool = setting(
        False,
        "The captions of a window count side by side, as one long embedding, instead of one being drawn each time.",
        needs=_OF_C2VL,
    )
    exchange: float = setting(
        0.0,
        "Share of the recordings that get another one's knowledge: 1 is the control of no knowledge.",
        needs=_OF_C2VL,
        least=0,
        most=1,
    )
    mistakes: str = setting(
        "any",
        "Whose knowledge --exchange gives: anybody's, that of the nearest other class, of the mirror image, of the "
        "previous activity.",
        MISTAKES,
        needs=("exchange",),
    )
    each_variation: bool = setting(
        False,
        "Each variation of a recording is exchanged by itself. Without it all of them get the knowledge of the same "
        "other one, as where a recording is captioned once.",
        needs=("exchange",),
    )
    hidden: int = setting(0, "Width of the projectors' hidden layer; 0: linear projectors.", needs=_OF_C2VL, least=0)
    projection: int = setting(128, "Size of SkeletonCLR's projections.", needs=_OF_SKELETON_CLR, least=1)
    key_queue: int = setting(512, "Past keys that SkeletonCLR contrasts with.", needs=_OF_SKELETON_CLR, least=1)
    key_temperature: float = setting(0.07, "SkeletonCLR's temperature.", needs=_OF_SKELETON_CLR, above=0, most=100)
    ema_momentum: float = setting(
        0.99,
        "Momentum of the EMA student, SkeletonCLR's key encoder and slim's teacher.",
        needs=_WITH_EMA,
        least=0,
        most=1,
    )
    skeleton_weight: float = setting(
        0.0, "c2vl: weight of slim's loss beside the knowledge's; 0: knowledge alone.", needs=_OF_C2VL, least=0
    )
    masked_weight: float = setting(
        1.0, "slim: weight of predicting the teacher's features of what is hidden; 0: off.", needs=_OF_SLIM, least=0
    )
    view_weight: float = setting(
        1.0, "slim: weight of agreeing with the teacher's other view; 0: off.", needs=_OF_SLIM, least=0
    )
    short_views: int = setting(
        2, "slim: short views of a clip beside the two long ones.", needs=_OF_SLIM, least=0, most=100
    )
    hide_from: float = setting(
        0.3, "slim: least share of a masked view that is hidden.", needs=_OF_SLIM, above=0, most=0.99
    )
    hide_to: float = setting(
        0.7, "slim: largest share of a masked view that is hidden.", needs=_OF_SLIM, above=0, most=0.99
    )
    prototypes: int = setting(256, "slim: prototypes that features are told by.", needs=_OF_SLIM, least=2)

    def __post_init__(self) -> None:
        check(self)
        if METHODS[self.method].teacher and not self.teacher:
            raise UsageError(f"--method {self.method} learns from a pretrained encoder: name it with --teacher")
        if self.mistakes != "any" and not self.exchange:
            raise UsageError("--mistakes does nothing without --exchange: add it, or leave --mistakes out")
        if self.ema_momentum == 1:
            raise UsageError("--ema-momentum is below 1; at 1 the first weights would stay")
        if self.hide_from > self.hide_to:
            raise UsageError("--hide-from is at most --hide-to")
