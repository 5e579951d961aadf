"""Training in two processes."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
import torch.distributed as dist  # noqa: E402
import torch.multiprocessing as mp  # noqa: E402

from tests.support.objective import chosen  # noqa: E402
from train.methods.c2vl_loss import C2VLObjective  # noqa: E402


def small_model():
    torch.manual_seed(5)
    return torch.nn.Linear(6, 4)


def train_step(rows: torch.Tensor, knowledge: torch.Tensor, valid: torch.Tensor, wrap) -> tuple[float, list, dict]:
    """One forward and backward with the queue filled by a batch before; loss, gradients, the objective's state."""
    model = small_model()
    objective = C2VLObjective({"language": 4}, chosen(schedule="constant", queue=8))
    both = wrap(torch.nn.ModuleDict({"model": model, "objective": objective}))
    for _ in range(2):
        z = model(rows)
        loss, _ = objective({"language": z}, {"language": knowledge}, {"language": z.detach() * 0.9}, valid=valid)
    for parameter in both.parameters():
        parameter.grad = None
    loss.backward()
    return float(loss.detach()), [parameter.grad for parameter in both.parameters()], objective.state_dict()


def one_of_two(rank: int, folder: str, data: tuple[torch.Tensor, ...]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    half = [x[rank * 5 : rank * 5 + 5] for x in data]
    loss, gradients, state = train_step(*half, wrap=lambda module: module)
    for gradient in gradients:
        dist.all_reduce(gradient)
        gradient /= 2  # what DistributedDataParallel does
    torch.save({"loss": loss, "gradients": gradients, "state": state}, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_give_what_one_gives_with_the_whole_batch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    # Captions repeat across the processes, and the second has fewer valid clips than the first.
    knowledge = torch.randn(10, 4)
    knowledge[7] = knowledge[1]
    valid = torch.tensor([True] * 6 + [False] + [True] * 2 + [False])
    data = (torch.randn(10, 6), knowledge, valid)
    loss, gradients, state = train_step(*data, wrap=lambda module: module)
    mp.spawn(one_of_two, args=(str(tmp_path), data), nprocs=2)
    parts = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert (parts[0]["loss"] + parts[1]["loss"]) / 2 == pytest.approx(loss, abs=1e-6)
    assert parts[0]["loss"] != pytest.approx(loss, abs=1e-3)  # the halves differ, so the mean is not trivial
    assert len(gradients) == 3
    for whole, half in zip(gradients, parts[0]["gradients"], strict=True):
        assert torch.allclose(whole, half, atol=1e-6)
        assert whole.abs().max() > 1e-4
    for name, whole in state.items():
        for part in parts:
            assert torch.allclose(whole.float(), part["state"][name].float(), atol=1e-6), name
