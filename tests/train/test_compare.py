"""train compare: runs beside each other, one table and one picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_c2vl.errors import UsageError
from train.commands.compare import compare


def write_run(folder: Path, rate: float, probe: float | None = None) -> Path:
    folder.mkdir(parents=True)
    kept = {"model": {"encoder": {"width": 16}}, "loop": {"learning_rate": rate, "epochs": 2}}
    (folder / "settings.json").write_text(json.dumps(kept))
    lines = [{"epoch": n, "step": n, "loss": 3.0 - n, "rankme": 10.0 * n, "clips_per_second": 100.0} for n in (1, 2)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if probe is not None:
        (folder / "verdict.json").write_text(json.dumps({"probe": probe, "probe_random": 0.5, "held_out": "all"}))
    return folder


def run(*arguments: object) -> str:
    result = CliRunner().invoke(compare, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_runs_are_told_apart_by_what_differs(tmp_path: Path) -> None:
    write_run(tmp_path / "a", 0.001, probe=0.875)
    for seed in range(2):
        write_run(tmp_path / "b" / f"seed{seed}", 0.5)
    head, *rows = run(tmp_path / "a", tmp_path / "b", "--output", tmp_path / "c.png").splitlines()
    assert head.split() == ["run", "learning-rate", "epochs", "loss", "rank", "probe", "untrained"]
    assert [Path(row.split()[0]).name for row in rows] == ["a", "seed0", "seed1"]
    assert rows[0].split()[1:] == ["0.001", "2", "1.000", "20.0", "87.5%", "50.0%"]
    assert (tmp_path / "c.png").stat().st_size > 1000
    told = json.loads(run(tmp_path / "a", tmp_path / "b", "--json"))
    assert told["differences"] == {"learning_rate": [0.001, 0.5, 0.5]}
    assert told["runs"][str(tmp_path / "a")]["probe"] == 0.875


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no training run"):
        run(tmp_path)
    folder = write_run(tmp_path / "a", 0.1)
    (folder / "verdict.json").write_text("[")
    with pytest.raises(UsageError, match="verdict.json cannot be read"):
        run(folder)
