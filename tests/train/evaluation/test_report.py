"""The report: a page that needs nothing else, its files, and that nothing half-written stays."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_c2vl import plots
from edge_c2vl.errors import EdgeC2VLError
from edge_c2vl.utils.scores import softmax
from tests.support.programs import needs
from train.evaluation.classified import Classified, Scored
from train.evaluation.report import Report, ReportPicture, Table, Text, confusion_csv, page, percent, write_report


@pytest.fixture
def report() -> Report:
    random = np.random.default_rng(0)
    sets = {
        f"split_{split}": Scored(random.integers(0, 4, 60), softmax(random.normal(size=(60, 4)))) for split in range(2)
    }
    classes = ["a <script>alert(1)</script>", "b & c", "drinking", "empty"]
    parts, files = Classified("mid<level>", classes, sets).parts()
    environment = {"versions": {"numpy": "2"}, "arguments": ["edge-c2vl", "eval", "a folder"]}
    made = Report("Report <1>", {"environment": environment}, [Text("x < y & z"), *parts])
    made.files = files
    return made


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.targets += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]


def test_without_a_report_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    draw = plots.confusion
    monkeypatch.setattr(plots, "confusion", lambda *given: drawn.append("confusion") or draw(*given))
    sets = {"test": Scored(np.array([0, 1]), np.eye(2))}
    parts, _ = Classified("two", ["a", "b"], sets).parts()
    assert drawn == []
    picture = next(part for part in parts if isinstance(part, ReportPicture) and part.file == "confusion_test")
    assert picture.png == picture.png
    assert drawn == ["confusion"]


def test_the_page_asks_for_nothing(report: Report) -> None:
    text = page(report)
    links = _Links()
    links.feed(text)
    assert links.targets
    assert all(target.startswith("data:image/png;base64,") for target in links.targets)
    assert not {"script", "link", "iframe", "object"} & set(links.tags)
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text
    assert "&lt;script&gt;" in text
    assert "edge-c2vl eval &#x27;a folder&#x27; — numpy 2" in text


def test_the_folder(report: Report, tmp_path: Path) -> None:
    report.values["x"] = 1
    write_report(tmp_path / "report", report)
    folder = tmp_path / "report"
    assert json.loads((folder / "report.json").read_text())["x"] == 1
    pictures = sorted(path.name for path in folder.glob("*.png"))
    assert "confusion_pooled.png" in pictures
    assert "calibration_split_1.png" in pictures
    for name in pictures:
        assert cv2.imread(str(folder / name)).shape[0] > 200
    assert (folder / "confusion_split_0.csv").is_file()
    report.values["x"] = 2
    write_report(folder, report)
    assert json.loads((folder / "report.json").read_text())["x"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_nothing_else_is_overwritten_and_nothing_half_written_stays(report: Report, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.tex").write_text("x")
    with pytest.raises(EdgeC2VLError, match="holds other files"):
        write_report(tmp_path / "own", report)
    report.values["bad"] = float("nan")
    with pytest.raises(ValueError, match="JSON"):
        write_report(tmp_path / "report", report)
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


def test_the_confusion_matrix_as_csv() -> None:
    matrix = np.array([[3, 1], [0, 2]])
    names = ['reading, "loudly"', "writing"]
    rows = list(csv.reader(io.StringIO(confusion_csv(matrix, names))))
    assert rows[0][1:] == names
    assert [row[0] for row in rows[1:]] == names
    assert [[int(cell) for cell in row[1:]] for row in rows[1:]] == matrix.tolist()


def test_tables_on_a_terminal() -> None:
    lines = Table("t", ("method", "of", "%"), [["ours", "a test", "9.00"], ["theirs", "b", "10.00"]], words=2).lines()
    assert lines == ["method  of          %", "ours    a test   9.00", "theirs  b       10.00"]
    assert [percent(value) for value in (0.12345, None, float("nan"))] == ["12.35", "–", "–"]


@pytest.mark.slow
def test_a_browser_shows_it_without_a_request(report: Report, tmp_path: Path) -> None:
    write_report(tmp_path / "report", report)
    program = needs("chromium")
    log = subprocess.run(
        [program, "--headless", "--no-sandbox", "--disable-gpu", f"--screenshot={tmp_path}/page.png",
         "--window-size=1200,3000", "--enable-logging=stderr", "--v=0", f"file://{tmp_path}/report/report.html"],
        capture_output=True, text=True, timeout=120, check=True,
    ).stderr  # fmt: skip
    assert not re.search(r"Refused to|CONSOLE.*error", log)
    assert cv2.imread(str(tmp_path / "page.png")).std() > 10
