"""Options that several commands share."""

from __future__ import annotations

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from edge_c2vl.errors import UsageError
from edge_c2vl.runtime.settings import BackendSettings, BundleSettings, PageSettings, PictureSettings, PoseSettings
from edge_c2vl.settings.flags import options_like


def complete_camera(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What the shell offers for --camera: the devices that are there, what needs none, and files."""
    from edge_c2vl.cameras.device import devices, stable_name

    cameras = devices()
    known = [str(name) for name in dict.fromkeys((*map(stable_name, cameras), *cameras))]
    known += ["sample", "simulated"]
    found = [CompletionItem(name) for name in known if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def complete_folder(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="dir")]


def refuse_idle(need: str, *names: str) -> None:
    """Raises UsageError where the command line gives one of these parameters, which do nothing without `need`."""
    context = click.get_current_context()
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if given and parameter.name in names:
            option = parameter.opts[0]
            raise UsageError(f"{option} does nothing without {need}: add it, or leave {option} out")


picture_options = options_like(PictureSettings)
crop_option = options_like(PictureSettings, "crop")
pose_options = options_like(PoseSettings, "pose", "pose_model")
bundle_option = options_like(BundleSettings, complete={"bundle": complete_folder})
backend_options = options_like(BackendSettings)
public_url_option = options_like(PageSettings, "public_url")

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
