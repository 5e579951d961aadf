"""`edge-c2vl calibrate`: a run learns its driver anew."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("socket", type=click.Path(path_type=Path))
def calibrate(socket: Path) -> None:
    """Have a run learn anew what it has learnt of its driver: straight ahead, open eyes, posture, usual activity.

    For a driver who has taken the seat, or a camera that was moved. SOCKET is the one of the run's --control. The file
    of --normal stays as it is, and its normal driving goes on being applied; the face that it holds is learnt anew.

    \b
    edge-c2vl run --camera 0 --control /run/edge-c2vl/control.sock
    edge-c2vl calibrate /run/edge-c2vl/control.sock
    """
    from edge_c2vl.outputs.control import ask

    ask(socket)
    click.echo("what was learnt of the driver is learnt anew", err=True)
