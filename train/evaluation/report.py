"""A report folder: one HTML page that needs nothing else, its pictures and tables as files, and all figures as JSON."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from edge_c2vl import plots
from edge_c2vl.errors import EdgeC2VLError
from edge_c2vl.utils.atomic import put_in_place, temporary_beside
from train.metrics import Ints

# The page may load nothing at all; its pictures are inside it.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: .5rem 0 1.5rem }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #8884; font-variant-numeric: tabular-nums }
.w { text-align: left }
th { border-bottom: 2px solid #8888 }
img { max-width: 100%; background: white }
footer { margin-top: 3rem; color: #777; font-size: .85rem }
"""


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Table:
    """header and rows of cells, which are printed as they are; numbers are formatted before. words: how many columns,
    the first ones, hold words, which stand to the left."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1

    def lines(self) -> list[str]:
        """Columns for a terminal."""
        cells = [list(self.header), *[list(row) for row in self.rows]]
        widths = [max(len(row[column]) for row in cells) for column in range(len(self.header))]
        return [
            "  ".join(
                cell.ljust(width) if column < self.words else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in cells
        ]


@dataclass(frozen=True)
class ReportPicture:
    """A picture that is drawn once a report is written: most evaluations only print. `file`: its name in the folder,
    without .png."""

    title: str
    draw: Callable[[], plots.Figure]
    file: str

    @cached_property
    def png(self) -> bytes:
        return plots.png(self.draw())


@dataclass
class Report:
    """title: of the page. parts: what stands on it, in order. values: report.json. files: further files by name."""

    title: str
    values: dict[str, Any]
    parts: list[Text | Table | ReportPicture] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)

    @property
    def tables(self) -> list[Table]:
        return [part for part in self.parts if isinstance(part, Table)]


def write_report(folder: Path, report: Report) -> None:
    """Writes report.html, report.json, the pictures and the further files; an earlier report there is replaced.

    Raises EdgeC2VLError where the folder holds something else.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / "report.json").is_file():
        raise EdgeC2VLError(f"--report {folder} holds other files: name a new folder")
    temporary = temporary_beside(folder)
    try:
        (temporary / "report.html").write_text(page(report), "utf-8")
        (temporary / "report.json").write_text(
            json.dumps(report.values, indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8"
        )
        for part in report.parts:
            if isinstance(part, ReportPicture):
                (temporary / f"{part.file}.png").write_bytes(part.png)
        for name, text in report.files.items():
            (temporary / name).write_text(text, "utf-8")
        put_in_place(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def page(report: Report) -> str:
    """The page as HTML: no script, no font, no request."""
    title = html.escape(report.title)
    body = "\n".join(_html(part) for part in report.parts)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{title}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<h1>{title}</h1>\n{body}\n<footer>{html.escape(_made_by(report.values))}</footer>\n</body>\n</html>\n"
    )


def _html(part: Text | Table | ReportPicture) -> str:
    if isinstance(part, Text):
        return f"<p>{html.escape(part.text)}</p>"
    if isinstance(part, ReportPicture):
        data = base64.b64encode(part.png).decode()
        title = html.escape(part.title)
        # As wide as it is in print: its letters are then as large as the page's.
        width = round(int.from_bytes(part.png[16:20], "big") * 96 / plots.DPI)
        return f'<h2>{title}</h2>\n<img alt="{title}" width="{width}" src="data:image/png;base64,{data}">'
    rows = "\n".join([_row("th", part.header, part.words), *(_row("td", row, part.words) for row in part.rows)])
    return f"<h2>{html.escape(part.title)}</h2>\n<table>\n{rows}\n</table>"


def _row(tag: str, cells: Sequence[str], words: int) -> str:
    kinds = [' class="w"' if column < words else "" for column in range(len(cells))]
    return (
        "<tr>"
        + "".join(f"<{tag}{kind}>{html.escape(c)}</{tag}>" for kind, c in zip(kinds, cells, strict=True))
        + "</tr>"
    )


def _made_by(values: dict[str, Any]) -> str:
    """The command, the checkout's commit and the versions."""
    about = values.get("environment", {})
    versions = ", ".join(f"{name} {version}" for name, version in about.get("versions", {}).items())
    return " — ".join(part for part in (shlex.join(about.get("arguments", [])), about.get("git", ""), versions) if part)


def confusion_csv(matrix: Ints, names: Sequence[str]) -> str:
    """A row for each right class, a column for each answer; the first cell of a row is the class."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["is \\ answered", *names])
    for name, row in zip(names, matrix.tolist(), strict=True):
        writer.writerow([name, *row])
    return buffer.getvalue()


def percent(value: float | None, digits: int = 2) -> str:
    """A share as per cent; a dash where there is none."""
    return "–" if value is None or value != value else f"{100 * value:.{digits}f}"
