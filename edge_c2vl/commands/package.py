"""`edge-c2vl package`: what goes to a fleet as one file."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("package")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--bundle", default="default", show_default=True, metavar="FOLDER", help="The model for the fleet.")
@click.option("--engine", is_flag=True, help="With the bundle's TensorRT engines, which fit one kind of device.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE.yaml",
    help="What run --config reads, for every vehicle.",
)
@click.option("--python", metavar="3.N", help="The fleet's Python: 3.10 on JetPack 6, 3.12 on 7. Default: this one.")
@click.option(
    "--machine", type=click.Choice(["aarch64", "x86_64"]), help="The fleet's architecture. Default: this one."
)
@click.option("--overwrite", is_flag=True, help="Replace OUT.")
def package(
    out: Path,
    bundle: str,
    engine: bool,
    config: Path | None,
    python: str | None,
    machine: str | None,
    overwrite: bool,
) -> None:
    """Write one file OUT for a fleet: wheels, bundle, settings, service, checksums, installer.

    It installs without a network and rolls back to the release before; docs/jetson.md. Works from a checkout.

    \b
    edge-c2vl package fleet.tar --bundle my-bundle --engine --python 3.10 --machine aarch64
    tar xf fleet.tar && sudo edge-c2vl-*/install.sh           # on a vehicle's computer
    sudo /opt/edge-c2vl/current/install.sh --rollback
    """
    import re

    from edge_c2vl.bundle.bundle import Bundle
    from edge_c2vl.packaging import Target, write_package
    from edge_c2vl.runtime.settings import RunSettings
    from edge_c2vl.settings.config_file import read_settings

    if python is not None and not re.fullmatch(r"3\.1[0-4]", python):
        raise click.UsageError(f"--python wants 3.10 to 3.14, not {python}")
    if config is not None:
        read_settings({}, config, RunSettings)  # a wrong one would keep every vehicle's service from starting
    here = Target.here()
    target = Target(python or here.python, machine or here.machine)

    def say(line: str) -> None:
        click.echo(line, err=True)

    release = write_package(out, Bundle.open(bundle), target, engine, config, overwrite, say)
    click.echo(f"{out}: release {release}, {out.stat().st_size / 1e6:.0f} MB")
