"""Writes the parts of docs/ that are made from code and from the default bundle:

    python tools/pages.py            # tests/test_docs.py fails where one is out of date

A page says with a pair of comments where its made part stands: <!-- made by tools/pages.py --> and <!-- end -->.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from edge_c2vl.bundle.bundle import Bundle  # noqa: E402
from edge_c2vl.runtime.settings import RunSettings  # noqa: E402
from edge_c2vl.settings.fields import flag, groups_of  # noqa: E402
from edge_c2vl.settings.flags import title_of  # noqa: E402
from train.settings.pretraining import ObjectiveSettings, PretrainSettings  # noqa: E402
from train.settings.probe import ProbeSettings  # noqa: E402
from train.settings.training import AugmentSettings, DataSettings, EncoderSettings, LoopSettings  # noqa: E402

BEGIN, END = "<!-- made by tools/pages.py -->", "<!-- end -->"

SETTINGS: dict[str, tuple[type, str]] = {
    **{f"run: {title_of(group)}": (group, "`run`") for group in groups_of(RunSettings)},
    "Encoder": (EncoderSettings, "`pretrain`, `finetune`"),
    "Augmentation": (AugmentSettings, "`pretrain`, `finetune`"),
    "Data": (DataSettings, "`finetune`"),
    "Loop": (LoopSettings, "`pretrain`, `finetune`"),
    "Pretraining": (PretrainSettings, "`pretrain`"),
    "Objective": (ObjectiveSettings, "`pretrain`; [the symbols](method.md#the-objective)"),
    "Probe": (ProbeSettings, "`probe`"),
}


def settings() -> str:
    """A table for each dataclass of settings: flag, default, meaning."""
    lines = []
    for title, (kind, used_by) in SETTINGS.items():
        lines += [f"### {title}", "", f"{used_by}.", "", "| flag | default | meaning |", "|---|---|---|"]
        for entry in fields(kind):
            if entry.metadata:
                choices = entry.metadata["choices"]
                more = f" One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""
                lines.append(f"| `{flag(entry.name)}` | {_shown(entry.default)} | {entry.metadata['help']}{more} |")
        lines.append("")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "":
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def model_card() -> str:
    """What the default bundle's manifest says of it."""
    manifest = Bundle.open("default").manifest
    clip = manifest.clip
    lines = [
        "| | |",
        "|---|---|",
        f"| labels | {', '.join(manifest.labels)}; distraction: {', '.join(manifest.distraction)} |",
        f"| sees | the last {clip.seconds:g} s as {clip.frames} frames, in {clip.dimensions} dimensions |",
        f"| joints | {', '.join(clip.joints)} |",
        f"| gives | a probability of each label, and an embedding of {manifest.embedding_size} numbers |",
        f"| trained on | {manifest.trained_on} |",
        f"| licences | {'; '.join(manifest.licences)} |",
        f"| files | {_files(manifest.files)} |",
        "",
    ]
    tables: dict[str, dict[str, Any]] = {}
    for precision, judged in manifest.accuracy.items():
        for data, rows in judged.items():
            if all(isinstance(row, dict) for row in rows.values()):
                tables.setdefault(f"{precision}: {data}", {}).update(rows)
            else:
                tables.setdefault(data, {})[precision] = rows
    for title, rows in tables.items():
        names = list(dict.fromkeys(name for row in rows.values() for name in row))
        lines += [
            f"{title}:",
            "",
            f"| | {' | '.join(_words(name) for name in names)} |",
            "|---" * (len(names) + 1) + "|",
        ]
        for name, row in rows.items():
            lines.append(f"| {_words(name)} | {' | '.join(_figure(row.get(figure)) for figure in names)} |")
        lines.append("")
    return "\n".join(lines)


def _files(files: dict[str, Any]) -> str:
    return ", ".join(f"`{name}` {entry['size'] / 1e3:.0f} kB" for name, entry in files.items() if name.endswith("onnx"))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _figure(value: Any) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


PAGES: dict[str, Callable[[], str]] = {"settings.md": settings, "model-card.md": model_card}


def made(name: str) -> str:
    """The page's text with its made part anew. Raises ValueError where it has no place for one."""
    text = (ROOT / "docs" / name).read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"docs/{name} has no lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{PAGES[name]().rstrip()}\n\n{END}{after}"


if __name__ == "__main__":
    for page in PAGES:
        (ROOT / "docs" / page).write_text(made(page), "utf-8")
