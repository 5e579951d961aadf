"""edge-c2vl eval ...: one subcommand a file, imported when it is asked for."""

from __future__ import annotations

import click

from edge_c2vl.commands.lazy import LazyGroup, find

# name -> "module:attribute"
COMMANDS = {
    "activities": "train.commands.eval_activities:activities",
    "drive-act": "train.commands.eval_drive_act:drive_act",
    "ntu60": "train.commands.eval_benchmark:ntu60",
    "ntu120": "train.commands.eval_benchmark:ntu120",
    "pku-mmd": "train.commands.eval_benchmark:pku_mmd",
    "nw-ucla": "train.commands.eval_benchmark:nw_ucla",
    "utd-mhad": "train.commands.eval_benchmark:utd_mhad",
    "sktdd": "train.commands.eval_sktdd:sktdd",
    "statefarm": "train.commands.eval_pictures:statefarm",
    "auc": "train.commands.eval_pictures:auc",
}
LIVE = "train.commands.eval_live:live"


class _Eval(LazyGroup):
    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        return find(LIVE) if name == "--live" else super().get_command(ctx, name)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # `eval FILE... --live` names no data set: the recordings' own command takes everything.
        if "--live" in args:
            ctx._protected_args, ctx.args = ["--live"], [argument for argument in args if argument != "--live"]
            return ctx.args
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and args[0] != "--live":
            raise click.UsageError(
                f"no data set {args[0]!r}: there are {', '.join(COMMANDS)}; for a recording of your own add --live"
            )
        return super().resolve_command(ctx, args)


@click.group(cls=_Eval, lazy=COMMANDS)
def evaluate() -> None:
    """Evaluate a model by a published protocol, or on labelled recordings of your own.

    \b
    Example:
      edge-c2vl eval drive-act --root drive_and_act --split 0 --checkpoint runs/drive-act-0 --report report
      edge-c2vl eval ntu60 --root nturgb+d_skeletons --split xsub --checkpoint runs/c2vl --protocol linear
      edge-c2vl eval drive.mp4 --live --bundle default          (drive.csv beside it: start,end,label)
    """
