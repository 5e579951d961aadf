"""What a run runs on: device, number format, and how many processes, by Lightning Fabric."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor

from edge_c2vl.errors import UsageError
from train.settings.training import LoopSettings


def make_fabric(settings: LoopSettings) -> Any:
    """Lightning Fabric, launched: under torchrun one process of several. Raises UsageError where this machine has no
    such accelerator."""
    from lightning_fabric import Fabric

    if settings.threads:
        torch.set_num_threads(settings.threads)
    # torchrun has started the processes already and says how many.
    devices = int(os.environ.get("LOCAL_WORLD_SIZE", settings.devices))
    nodes = int(os.environ.get("GROUP_WORLD_SIZE", settings.nodes))
    precision: Any = settings.precision  # one of Fabric's: the settings check it
    try:
        fabric = Fabric(
            accelerator=settings.accelerator,
            devices=devices,
            num_nodes=nodes,
            precision=precision,
            # Not every task uses every head of the encoder.
            strategy="ddp_find_unused_parameters_true" if devices * nodes > 1 else "auto",
        )
    except (RuntimeError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise UsageError(f"--accelerator {settings.accelerator}, --devices {devices}: {why}") from None
    fabric.launch()
    return fabric


def gather(state: Tensor, device: torch.device) -> Tensor:
    """(S,) of each process -> (processes, S)."""
    if not torch.distributed.is_initialized():
        return state[None]
    mine = state.to(device)
    parts = [torch.empty_like(mine) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(parts, mine)
    return torch.stack(parts).cpu()
