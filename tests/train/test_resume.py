"""--resume: the run's own settings, more epochs, and nothing made anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_c2vl.errors import EdgeC2VLError, UsageError
from tests.support.training import make_bank, write_movements
from train.commands.finetune import finetune
from train.commands.pretrain import pretrain
from train.data import clips

QUICK = ("--width", 4, "--blocks", 3, "--batch-size", 8, "--accelerator", "cpu", "--no-tensorboard", "--frames", 16)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_movements(tmp_path_factory.mktemp("resume") / "archive")


def run(command, *arguments: object) -> str:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def epochs(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The stores of clips that are made, in an empty cache."""
    monkeypatch.setenv("EDGE_C2VL_CACHE", str(tmp_path / "cache"))
    stores: list[Path] = []
    make = clips._make
    monkeypatch.setattr(clips, "_make", lambda *given: stores.append(given[3]) or make(*given))
    return stores


def test_a_pretraining_goes_on_to_more_epochs(archive: Path, tmp_path: Path, made: list[Path]) -> None:
    bank = make_bank(tmp_path / "bank")
    folder = tmp_path / "run"
    run(pretrain, archive, folder, "--bank", bank, "--split", "fold", "--facing", "--epochs", 2, *QUICK)
    first = epochs(folder)
    # Not one flag again: they are the run's.
    run(pretrain, archive, folder, "--resume", "--epochs", 4)
    assert [line["epoch"] for line in epochs(folder)] == [1, 2, 3, 4]
    assert epochs(folder)[:2] == first
    assert len(made) == 1
    kept = json.loads((folder / "settings.json").read_text())
    assert (kept["loop"]["epochs"], kept["pretraining"]["facing"], kept["banks"]) == (4, True, [str(bank)])
    # It was finished; asked again, there is nothing to do.
    run(pretrain, archive, folder, "--resume")
    assert len(epochs(folder)) == 4


def test_another_setting_is_refused_before_clips_are_made(
    archive: Path,
    tmp_path: Path,
    made: list[Path],
) -> None:
    folder = tmp_path / "run"
    run(pretrain, archive, folder, "--method", "skeleton-clr", "--epochs", 2, *QUICK)
    for given, said in (
        (("--frames", 32), "--frames was 16"),
        (("--no-facing",), "--facing was True"),
        (("--shear", 0.5), "--shear was 0.1"),
        (("--width", 8), "--width was 4"),
        (("--learning-rate", 0.5), "--learning-rate was 0.002"),
    ):
        with pytest.raises(UsageError, match=said):
            run(pretrain, archive, folder, "--resume", *given)
    with pytest.raises(EdgeC2VLError, match="has 2 epochs already"):
        run(pretrain, archive, folder, "--resume", "--epochs", 1)
    with pytest.raises(UsageError, match="no run in"):
        run(pretrain, archive, tmp_path / "nothing", "--resume")
    assert len(made) == 1


def test_finished_seeds_go_on_too(archive: Path, tmp_path: Path, made: list[Path]) -> None:
    folder = tmp_path / "runs"
    asked = (pretrain, archive, folder, "--method", "skeleton-clr", "--seeds", 2)
    run(*asked, "--epochs", 1, *QUICK)
    run(*asked, "--resume", "--epochs", 2)
    assert [len(epochs(folder / f"seed{number}")) for number in (0, 1)] == [2, 2]
    assert [json.loads((folder / f"seed{n}" / "settings.json").read_text())["loop"]["seed"] for n in (0, 1)] == [0, 1]
    assert len(made) == 1


def test_a_finetuning_keeps_what_it_began_from(archive: Path, tmp_path: Path, made: list[Path]) -> None:
    run(pretrain, archive, tmp_path / "before", "--method", "random", *QUICK)
    folder = tmp_path / "run"
    run(finetune, archive, folder, "--from", tmp_path / "before", "--split", "fold", "--epochs", 1, *QUICK)
    run(finetune, archive, folder, "--resume", "--epochs", 2)
    assert len(epochs(folder)) == 2
    assert json.loads((folder / "settings.json").read_text())["pretrained"] == str(tmp_path / "before")
    assert len(made) == 1
