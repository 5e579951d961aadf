"""The documentation is true where a machine can tell: commands, made pages, links, length."""

from __future__ import annotations

import re
import sys

import pytest

from tests.support.docs_commands import PAGES, ROOT, Wrong, check, commands_of, unused_marks

COMMANDS = [command for page in PAGES for command in commands_of(page)]


def test_the_commands_are_found():
    assert len(COMMANDS) > 100
    assert {command.page for command in COMMANDS} >= {"README.md", "tutorial.md", "jetson.md", "results.md"}
    assert any(not command.block for command in COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_would_be_accepted(page):
    wrong = []
    for command in commands_of(page):
        try:
            check(command)
        except Wrong as error:
            wrong.append(f"{command}\n    {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "line",
    [
        "edge-c2vl run --camera 0 --sevre",
        "edge-c2vl run --serve",
        "edge-c2vl walk",
        "edge-c2vl train finetune archive",
        "edge-c2vl quantize bundle --calibration a --method best",
        "python benchmarks/page_alert.py --minutes 3",
        "python benchmarks/no_such.py",
        "pytest tests/no_such.py",
        "make coffee",
        "pip install 'edge-c2vl[wbe]'",
    ],
)
def test_a_wrong_command_is_found(line, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"Text:\n\n    {line}     # a comment\n")
    (command,) = commands_of(page)
    with pytest.raises(Wrong):
        check(command)


def test_options_that_are_only_named_are_checked_too(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "`edge-c2vl run --output` draws, `edge-c2vl run --ouptut` does not; `edge-c2vl eval --live` is all.\n"
    )
    first, second, third = commands_of(page)
    check(first)
    check(third)
    with pytest.raises(Wrong, match="--ouptut"):
        check(second)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_marked_as_not_run_is_there(page):
    assert unused_marks(page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page):
    folders = "benchmarks|calibration|deploy|edge_c2vl|tests|tools|train"
    named = re.findall(rf"`((?:{folders})/[\w./-]+\.\w+)`", page.read_text("utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 150


@pytest.mark.parametrize("page", ["settings.md", "model-card.md"])
def test_made_pages_are_up_to_date(page):
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import pages
    finally:
        sys.path.pop(0)
    assert (ROOT / "docs" / page).read_text("utf-8") == pages.made(page), "run python tools/pages.py"


def test_the_pages_are_built_without_a_dead_link_and_load_nothing_from_elsewhere(tmp_path):
    config = pytest.importorskip("mkdocs.config", reason="needs mkdocs: pip install 'edge-c2vl[docs]'")
    from mkdocs.commands.build import build

    # Strict: a link or anchor that leads nowhere, or a page that no menu names, raises.
    build(config.load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path / "site"), strict=True))
    made = sorted((tmp_path / "site").rglob("*.html"))
    assert len(made) > 20
    loads = re.compile(
        r"<(?:script|img|iframe)[^>]+src=[\"']?(https?:)?//|<link[^>]+rel=\"(?:stylesheet|preconnect)\"[^>]+//"
    )
    assert [page.name for page in made if loads.search(page.read_text("utf-8"))] == []
