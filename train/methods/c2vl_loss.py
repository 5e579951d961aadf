"""C2VL's objective: cross-modal contrast whose one-hot targets are softened as training goes on.

A reconstruction from the published text of C2VL (Chen et al., "Vision-Language Meets the Skeleton", 2024): its
equations and hyperparameters are in no public code. With z the skeletons' projections, m the frozen knowledge
embeddings of the same clips in one modality (vision or language), z' the projections of an EMA student, sg the
stop-gradient and tau a temperature, fixed or learnt:

    P_sm = softmax(z m^T / tau)              student, skeleton -> knowledge; P_ms the other way
    A    = softmax(m m^T / tau_a)            intra-modal self-similarity of the frozen concept space
    C_sm = sg(softmax(z' m^T / tau_c))       inter-modal cross-consistency; C_ms the other way
    Y    = (1 - a) I + a (b A + (1 - b) C)   a = a(e) rises from 0 over the epochs
    L    = mean over the modalities of 1/2 [H(Y_sm, P_sm) + H(Y_ms, P_ms)]

Three differences of Lerch et al. (arXiv 2606.02352), which is the nearest relative, are options, with s_ij = z'_i m_j:

    C_sm = sg(softmax_j(s_ij / tau_c + s_jj / tau_p)); C_ms the other way            cycle_consistency
    A_ms = sg(softmax(z' z'^T / tau_a))                                              own_similarity
    w_i  = w_min + (1 - w_min) Phi((z_i m_i - mu) / (kappa sigma)), no gradient      least_weight

(s_ii / tau_p, which they add, is the same for all j.) mu and sigma: moving averages (0.99) over batches of mean and
standard deviation of z_i m_i. The losses of clip i, both ways, weigh w_i, and the weights' mean is 1.

With a = 0 it is the symmetric InfoNCE of CLIP. Relatives: ALBEF (momentum targets), SoftCLIP (self-similarity targets),
Andonian et al. 2022 (progressive self-distillation), MoCo (the queue).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

from edge_c2vl.errors import EdgeC2VLError
from train.settings.pretraining import MAX_SCALE, ObjectiveSettings

FIT_MOMENTUM = 0.99


class C2VLObjective(nn.Module):
    """The loss. Holds the temperature of each modality, and the queues.

    modalities: name -> size D_m of its knowledge embeddings, such as {"vision": 512, "language": 384}.
    """

    def __init__(self, modalities: Mapping[str, int], settings: ObjectiveSettings) -> None:
        super().__init__()
        if not modalities:
            raise EdgeC2VLError("the objective needs at least one kind of knowledge: vision or language")
        self.settings, self.modalities = settings, dict(modalities)
        start = torch.tensor(math.log(1 / settings.temperature))
        self.log_scale = nn.ParameterDict(
            {name: nn.Parameter(start.clone(), settings.learn_temperature) for name in modalities}
        )
        # How well pairs fit: a moving average of mean and standard deviation, and over how many batches it ran.
        self.fit = nn.ParameterDict()
        if settings.least_weight < 1:
            self.fit = nn.ParameterDict({name: nn.Parameter(torch.zeros(3), False) for name in modalities})
        # Newest first. Registered, so that a resumed run goes on with the same candidates.
        self.queues = nn.ModuleDict({name: _Queue(settings.queue, size) for name, size in modalities.items()})

    def forward(
        self,
        projections: Mapping[str, Tensor],
        knowledge: Mapping[str, Tensor],
        teacher: Mapping[str, Tensor] | None = None,
        progress: float = 0.0,
        valid: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch (a scalar), and what to log (scalars without gradient).

        projections and teacher (z, z') and knowledge (m): name -> (N, D_m), scaled to unit length here. progress: the
        share of training that is done. valid: (N,) bool, False for a clip in which nothing was seen: it is left out,
        as a row and as a candidate; so is a clip of which a kind of knowledge says nothing (0), for that kind. Under
        torch.distributed the candidates are the batches of all processes, of one size each, and the mean of the
        processes' losses is the loss of the whole. Raises EdgeC2VLError where a shape does not fit, knowledge is not
        finite, or the teacher is missing though the settings need one.
        """
        self._check(projections, knowledge, teacher)
        some = next(iter(projections.values()))
        if valid is None:
            valid = torch.ones(len(some), dtype=torch.bool, device=some.device)
        a = self.settings.weight(progress)
        losses, metrics = [], {"softening": some.new_tensor(a)}
        # Softmax over similarities in bfloat16 would tell near duplicates no longer apart.
        with torch.autocast(some.device.type, enabled=False):
            for name in self.modalities:
                z, m = _unit(projections[name]), _unit(knowledge[name].to(some.device))
                z_ema = None if teacher is None else _unit(teacher[name].detach())
                known = valid & (m.abs().amax(dim=1) > 0)
                loss, values = self._modality(name, z, m, z_ema, known, a, progress)
                losses.append(loss)
                metrics |= {f"{name}/{key}": value for key, value in values.items()}
        return torch.stack(losses).mean(), metrics

    def _modality(
        self, name: str, z: Tensor, m: Tensor, z_ema: Tensor | None, valid: Tensor, a: float, progress: float
    ) -> tuple[Tensor, dict[str, Tensor]]:
        settings, queue = self.settings, cast(_Queue, self.queues[name])
        # Candidates: the batches of all processes, then the queue. Clip i of this process stands in column first + i.
        first = _rank() * len(z)
        all_z, all_m, all_valid = gather(z), gather(m), gather(valid)
        all_ema = None if z_ema is None else gather(z_ema)
        columns_z, columns_m, columns_ema = queue.after(all_z, "skeletons"), queue.after(all_m, "knowledge"), None
        if all_ema is not None:
            columns_ema = queue.after(all_ema, "skeletons")
        present = F.pad(all_valid, (0, len(columns_m) - len(all_m)), value=True)

        scale = self.log_scale[name].exp().clamp(max=MAX_SCALE).to(z.dtype)
        log_p_sm = _log_softmax(scale * z @ columns_m.T, present)
        log_p_ms = _log_softmax(scale * m @ columns_z.T, present)
        with torch.no_grad():
            hard = identity_targets(m, columns_m, first, present, settings.share_duplicates)
            a_sm = a_ms = c_sm = c_ms = None
            if a > 0 and settings.self_share > 0:
                a_sm = a_ms = _log_softmax(m @ columns_m.T / settings.self_temperature, present).exp()
                if settings.own_similarity:
                    assert z_ema is not None and columns_ema is not None  # noqa: PT018 (for mypy; `_check` has raised)
                    a_ms = _log_softmax(z_ema @ columns_ema.T / settings.self_temperature, present).exp()
            if a > 0 and settings.self_share < 1:
                assert z_ema is not None and columns_ema is not None  # noqa: PT018 (for mypy; `_check` has raised)
                pairs: Tensor | float = 0.0
                if settings.cycle_consistency:
                    pairs = (columns_ema * columns_m).sum(dim=1) / settings.pair_temperature
                c_sm = _log_softmax(z_ema @ columns_m.T / settings.cross_temperature + pairs, present).exp()
                c_ms = _log_softmax(m @ columns_ema.T / settings.cross_temperature + pairs, present).exp()
            y_sm = mix_targets(hard, a_sm, c_sm, a, settings.self_share)
            y_ms = mix_targets(hard, a_ms, c_ms, a, settings.self_share)
            # The mean runs over the valid clips of all processes: a process that has fewer of them weighs less.
            weight = self._weights(name, (all_z * all_m).sum(dim=1), all_valid, progress) * all_valid
            share = weight[first : first + len(z)] * (len(all_z) // max(len(z), 1)) / weight.sum().clamp(min=1e-12)

        loss_sm = -(share * (y_sm * log_p_sm).sum(dim=1)).sum()
        loss_ms = -(share * (y_ms * log_p_ms).sum(dim=1)).sum()
        if self.training and all_ema is not None:
            queue.push(all_m[all_valid], all_ema[all_valid])
        with torch.no_grad():
            entropy = -(share * torch.special.xlogy(y_sm, y_sm).sum(dim=1)).sum()
            found = hard.gather(1, log_p_sm.argmax(dim=1, keepdim=True))[:, 0] > 0
        return (loss_sm + loss_ms) / 2, {
            "temperature": 1 / scale.detach(),
            "target_entropy": entropy,
            "retrieval": (share * found).sum(),
        }

    def _weights(self, name: str, cosines: Tensor, valid: Tensor, progress: float) -> Tensor:
        """How much each pair (N,) of all processes counts; in training the moving averages take the batch in."""
        settings = self.settings
        if settings.least_weight == 1:
            return torch.ones_like(cosines)
        average, own = self.fit[name], cosines[valid]
        if self.training and len(own) > 1:
            new = torch.stack([own.mean(), own.std(correction=0)])
            average[:2] = torch.where(average[2] > 0, average[:2].lerp(new, 1 - FIT_MOMENTUM), new)
            average[2] += 1
        if progress < settings.soften_from or average[2] == 0:
            return torch.ones_like(cosines)
        mean, deviation = average[0], average[1].clamp(min=1e-6)
        rank = torch.special.ndtr((cosines - mean) / (settings.weight_spread * deviation))
        return settings.least_weight + (1 - settings.least_weight) * rank

    def _check(self, z: Mapping[str, Tensor], m: Mapping[str, Tensor], teacher: Mapping[str, Tensor] | None) -> None:
        if self.settings.needs_teacher and teacher is None:
            raise EdgeC2VLError(
                "cross-consistency targets, the student's own similarity and the queue need the EMA student's "
                "projections (teacher)"
            )
        rows = len(next(iter(z.values()), ()))
        for name, size in self.modalities.items():
            for what, given in (("projections", z), ("knowledge", m), ("teacher", {} if teacher is None else teacher)):
                if what == "teacher" and teacher is None:
                    continue
                if name not in given:
                    raise EdgeC2VLError(
                        f"the batch has no {what} for {name!r}, only for: {', '.join(given) or 'nothing'}"
                    )
                if given[name].shape != (rows, size):
                    raise EdgeC2VLError(
                        f"{what} for {name!r} should be ({rows}, {size}), not {tuple(given[name].shape)}"
                    )
            if not torch.isfinite(m[name]).all():
                raise EdgeC2VLError(f"the knowledge for {name!r} holds NaN or infinity: encode the bank again")


def identity_targets(rows: Tensor, columns: Tensor, first: int, present: Tensor, share_duplicates: bool) -> Tensor:
    """The hard targets I: (N, M); row i has its mass in column `first + i`.

    rows (N, D) and columns (M, D): unit knowledge embeddings. present: (M,) bool. share_duplicates spreads the mass
    evenly over the present columns with the same embedding (cosine above 1 - 1e-5): this matters for captions that the
    queue holds already; within a batch the rows of one caption differ then, and their sum does not. The row of an
    absent clip is 0.
    """
    at = torch.arange(len(rows), device=rows.device)
    hard = torch.zeros(len(rows), len(columns), device=rows.device, dtype=rows.dtype)
    hard[at, at + first] = 1
    if share_duplicates:
        same = (rows @ columns.T > 1 - 1e-5).to(hard.dtype)
        hard = torch.maximum(same, hard) * present[first : first + len(rows), None]
    hard = hard * present
    return hard / hard.sum(dim=1, keepdim=True).clamp(min=1)


def mix_targets(hard: Tensor, similarity: Tensor | None, consistency: Tensor | None, a: float, b: float) -> Tensor:
    """Y = (1 - a) I + a (b A + (1 - b) C), each (N, M). A part that is None is left out (b is then 0 or 1)."""
    targets = hard
    if similarity is not None:
        targets = targets + a * b * (similarity - hard)
    if consistency is not None:
        targets = targets + a * (1 - b) * (consistency - hard)
    return targets


def gather(x: Tensor) -> Tensor:
    """(N, ...) of each process -> (W * N, ...), all of them in the order of their ranks, with gradient.

    The gradient that comes back is the sum over the processes: averaged over them, as DistributedDataParallel does, it
    is that of the mean loss. Every process must bring the same N.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return x
    gathered: Tensor = _Gather.apply(x.contiguous())
    return gathered


class _Gather(torch.autograd.Function):
    """all_gather with gradient. That of torch.distributed.nn is deprecated, and torch 2.6 lacks what follows it."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.rows = len(x)
        parts = [torch.empty_like(x) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, x)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        total = gradient.clone()
        dist.all_reduce(total)
        return total[_rank() * ctx.rows :][: ctx.rows]


class _Queue(nn.Module):
    """The last `size` clips' knowledge and EMA projections (He et al., CVPR 2020); newest first."""

    knowledge: Tensor
    skeletons: Tensor
    filled: Tensor

    def __init__(self, size: int, dimension: int) -> None:
        super().__init__()
        self.register_buffer("knowledge", torch.zeros(size, dimension))
        self.register_buffer("skeletons", torch.zeros(size, dimension))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))

    def after(self, batch: Tensor, kind: str) -> Tensor:
        """(N, D) -> (N + filled, D): the batch, then the queue."""
        past: Tensor = getattr(self, kind)
        # A copy, for `push` changes the queue before the gradient is taken.
        return torch.cat([batch, past[: int(self.filled)].to(batch.dtype)]) if len(past) else batch

    @torch.no_grad()
    def push(self, knowledge: Tensor, skeletons: Tensor) -> None:
        for queue, new in ((self.knowledge, knowledge), (self.skeletons, skeletons)):
            queue.copy_(torch.cat([new.to(queue.dtype), queue])[: len(queue)])
        self.filled.fill_(min(int(self.filled) + len(knowledge), len(self.knowledge)))


def _rank() -> int:
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def _unit(x: Tensor) -> Tensor:
    return F.normalize(x if x.dtype == torch.float64 else x.float(), dim=1)


def _log_softmax(logits: Tensor, present: Tensor) -> Tensor:
    """Over the columns that are present; for an absent one a large finite number, so that 0 * log p stays 0."""
    return F.log_softmax(logits.masked_fill(~present, -1e4), dim=1)
