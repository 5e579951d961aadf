"""The command lines of README.md, CONTRIBUTING.md and docs/*.md, and what is right about one.

A page says with <!-- not run, REASON: part; part --> which of its commands (those that contain a part) no test runs:
they need hardware, licensed data or hours. Every other one is run by `pytest -m slow tests/test_docs.py`.
"""

from __future__ import annotations

import argparse
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import click

from cli import edge_c2vl

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
MARK = re.compile(r"<!-- not run, ([^:>]+): (.+?) -->")
STARTS = ("edge-c2vl", "python", "pytest", "make", "pip")


@dataclass(frozen=True)
class Command:
    """words: the command split as a shell does, up to a pipe or redirection. block: it stands in a block of code, and
    is whole; else it is named in the text, and may lack arguments. reason: why no test runs it; empty: one does."""

    page: str
    line: int
    text: str
    words: tuple[str, ...]
    block: bool
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def commands_of(page: Path) -> list[Command]:
    text = page.read_text("utf-8")
    marks = [(reason, part.strip()) for reason, parts in MARK.findall(text) for part in parts.split(";")]
    found = []
    for line, code, block in _code(text):
        command = re.split(r"\s{3,}", code.removeprefix("$ "))[0].strip()
        words = _words(command)
        if words and Path(words[0]).name.rstrip("3") in STARTS:
            reason = next((reason for reason, part in marks if part in command), "")
            found.append(Command(page.name, line, command, tuple(words), block, reason))
    return found


def unused_marks(page: Path) -> list[str]:
    """Parts of marks that no command of a block of code contains: what they were for has gone."""
    texts = [command.text for command in commands_of(page) if command.block]
    parts = [part.strip() for _, parts in MARK.findall(page.read_text("utf-8")) for part in parts.split(";")]
    return [part for part in parts if not any(part in text for text in texts)]


def _code(text: str) -> Iterator[tuple[int, str, bool]]:
    """(line number, code, whether it stands in a block): indented and fenced lines, continued ones joined; and what
    stands between backticks in the text."""
    fenced, kept, start = False, "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    ") or kept:
            start = start if kept else number
            kept += line.strip()
            if kept.endswith("\\"):
                kept = kept[:-1]
            else:
                yield start, kept, True
                kept = ""
        else:
            for span in re.findall(r"`([^`]+)`", line):
                yield number, span, False


def _words(command: str) -> list[str]:
    # A synopsis has its optional parts in brackets.
    plain = re.sub(r"(?<=\s)\[(?=-)|\](?=\s|$)", "", command)
    try:
        words = shlex.split(plain, comments=True)
    except ValueError:
        return []
    ends = [index for index, word in enumerate(words) if word in ("|", ">", ">>", "&&", "&", ";")]
    return words[: min(ends, default=len(words))]


class Wrong(Exception):
    """The command would be refused."""


def check(command: Command) -> None:
    """Raises Wrong where the program that is named would refuse these options or arguments."""
    name, arguments = Path(command.words[0]).name, [word for word in command.words[1:] if word not in ("...", "…")]
    if name == "edge-c2vl":
        _click(arguments) if command.block else _click_named(arguments)
    elif name.startswith("python"):
        _python(arguments, command.block)
    elif name == "pytest":
        for word in arguments:
            if "/" in word and not (ROOT / word.partition("::")[0]).exists():
                raise Wrong(f"there is no {word}")
    elif name == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        if arguments and arguments[0] not in targets:
            raise Wrong(f"the Makefile has no target {arguments[0]}")
    elif name == "pip":
        _pip(arguments)


def _click(arguments: list[str]) -> None:
    # Files that a page names need not be here.
    with mock.patch.object(click.Path, "convert", lambda self, value, parameter, context: value):
        try:
            _follow(edge_c2vl, "edge-c2vl", arguments)
        except click.exceptions.Exit as stop:
            if stop.exit_code:
                raise Wrong("it would fail") from None
        except click.ClickException as error:
            raise Wrong(error.format_message()) from None


def _follow(command: click.Command, name: str, arguments: list[str], parent: click.Context | None = None) -> None:
    context = command.make_context(name, list(arguments), parent=parent)
    if isinstance(command, click.Group):
        found, inner, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert inner is not None
        _follow(inner, str(found), rest, context)


def _click_named(arguments: list[str]) -> None:
    """Of a command that is only named: it exists, and so do its options."""
    command: click.Command = edge_c2vl
    options = {name for parameter in command.params for name in parameter.opts}
    for word in arguments:
        if isinstance(command, click.Group) and not word.startswith("-"):
            inner = command.get_command(click.Context(command), word)
            # `eval` with a recording instead of a data set.
            inner = inner or (command.get_command(click.Context(command), "--live") if "--live" in arguments else None)
            if inner is None:
                raise Wrong(f"there is no command {word}")
            command = inner
            options |= {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        elif word.startswith("--") and word.partition("=")[0] not in options | {"--live", "--help", "--version"}:
            raise Wrong(f"there is no option {word}")


class _Parsed(BaseException):
    """The arguments were taken."""


def _python(arguments: list[str], whole: bool) -> None:
    if arguments[:1] == ["-m"] and len(arguments) > 1:
        module, rest = arguments[1], arguments[2:]
        path = ROOT / Path(*module.split(".")).with_suffix(".py")
        if module.split(".")[0] not in ("train", "edge_c2vl", "calibration"):
            return
    elif arguments and arguments[0].endswith(".py"):
        path, rest = ROOT / arguments[0], arguments[1:]
    else:
        return
    if not path.is_file():
        raise Wrong(f"there is no {path.relative_to(ROOT)}")
    if not whole or "argparse" not in path.read_text("utf-8"):
        return
    with _parsing_only([str(path), *rest]) as refused:
        try:
            runpy.run_path(str(path), run_name="__main__")
        except _Parsed:
            return
        except SystemExit as stop:
            raise Wrong(f"it would end with {stop.code}: {refused()}") from None
    raise Wrong("it reads no arguments")


@contextmanager
def _parsing_only(argv: list[str]) -> Iterator:
    said: list[str] = []
    parse = argparse.ArgumentParser.parse_args

    def only_parse(self, *arguments, **more):
        parse(self, *arguments, **more)
        raise _Parsed

    def error(self, message):
        said.append(message)
        raise SystemExit(2)

    with (
        mock.patch.object(argparse.ArgumentParser, "parse_args", only_parse),
        mock.patch.object(argparse.ArgumentParser, "error", error),
        mock.patch.object(sys, "argv", argv),
        # A script finds its neighbours.
        mock.patch.object(sys, "path", [str(Path(argv[0]).parent), *sys.path]),
    ):
        yield lambda: " ".join(said)


def _pip(arguments: list[str]) -> None:
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    table = project.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    extras = set(re.findall(r"^(\w+) = \[", table, re.MULTILINE))
    for word in arguments:
        named = re.fullmatch(r"(?:\.|edge-c2vl)\[([\w,]+)\]", word)
        unknown = set(named[1].split(",")) - extras if named else set()
        if unknown:
            raise Wrong(f"there is no extra {', '.join(sorted(unknown))}")
