"""The option `--device`."""

from __future__ import annotations

import click

from edge_c2vl.errors import UsageError


def _usable(_ctx: click.Context, _parameter: click.Parameter, name: str) -> str:
    """Raises UsageError where PyTorch cannot compute there."""
    if name != "cpu":
        import torch

        try:
            torch.empty(1, device=name)
        except (RuntimeError, AssertionError) as error:
            why = " ".join(str(error).split())[:100]
            raise UsageError(f"--device {name}: PyTorch cannot compute there ({why}); use cpu") from None
    return name


device_option = click.option(
    "--device", default="cpu", show_default=True, callback=_usable, help="Where PyTorch runs: cpu, cuda or cuda:N."
)
