"""`edge-c2vl replay`: look at a past drive."""

from __future__ import annotations

import contextlib

import click

from edge_c2vl.commands.options import public_url_option


@click.command()
@click.argument("source", metavar="DECISIONS.jsonl|ARCHIVE|CLIPS")
@click.option("--events", metavar="FILE", help="The --events file of the same runs: alerts with their reasons.")
@click.option("--bundle", metavar="FOLDER", help="Judge an archive's clips with this model bundle (or `default`).")
@click.option("--clip", metavar="NAME|NUMBER", help="Which recording to begin with, counted from 1.")
@click.option(
    "--serve",
    metavar="HOST:PORT",
    help="Where to serve the page: http://127.0.0.1:8480/ unless told otherwise.",
)
@public_url_option
@click.option("--rerun", metavar="FILE.rrd", help="Write that recording for the Rerun viewer, instead of serving it.")
def replay(
    source: str,
    events: str | None,
    bundle: str | None,
    clip: str | None,
    serve: str | None,
    public_url: str | None,
    rerun: str | None,
) -> None:
    """Show a past drive on the live page, with a time line to scrub.

    SOURCE is a file of decisions (run --decisions), a skeleton archive, or what run --alert-clips has kept.

    \b
    edge-c2vl replay decisions.jsonl --events events.jsonl
    edge-c2vl replay nw-ucla --clip 17
    edge-c2vl replay drives --bundle default         with what the default model says of them
    edge-c2vl replay drives --clip 3 --rerun drive.rrd
    """
    from edge_c2vl.replay.open import number_of, open_drive

    drive = open_drive(source, events, bundle)
    first = number_of(drive, clip)
    if rerun is not None:
        from edge_c2vl.replay.rerun_file import write_rerun

        write_rerun(drive.recording(first), rerun)
        click.echo(f"{rerun}: look at it with: rerun {rerun}")
        if serve is None:
            return
    from edge_c2vl.replay.serve import ReplayServer

    # Ctrl-C is how it ends, also when it comes before the wait has begun.
    with ReplayServer(drive, serve or "", first, public_url) as server, contextlib.suppress(KeyboardInterrupt):
        click.echo(f"{server.invitation}; Ctrl-C ends", err=True)
        server.wait()
