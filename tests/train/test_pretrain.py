"""train pretrain and train probe from the command line, on a small archive; what does not fit is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from click.testing import CliRunner  # noqa: E402

from edge_c2vl.errors import EdgeC2VLError, UsageError  # noqa: E402
from edge_c2vl.skeletons.archive import Archive  # noqa: E402
from tests.support.training import CLIPS, make_bank, write_movements  # noqa: E402
from train.commands.pretrain import pretrain  # noqa: E402
from train.commands.probe import probe  # noqa: E402
from train.knowledge import gather  # noqa: E402
from train.knowledge.bank import Bank, BankError  # noqa: E402
from train.knowledge.gather import gather_knowledge  # noqa: E402
from train.model.checkpoint import load_model  # noqa: E402
from train.settings.pretraining import PretrainSettings  # noqa: E402

SMALL = ["--width", 4, "--blocks", 3, "--frames", 12, "--batch-size", 8, "--learning-rate", 0.01, "--view", 10]
PLAIN = ["--preset", "paper", "--no-facing", "--no-upright", "--features", 0]
FAST = [*SMALL, "--accelerator", "cpu", "--no-tensorboard"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_C2VL_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_movements(tmp_path_factory.mktemp("pretrain") / "archive")


def run(command, *arguments: object) -> str:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=True)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_c2vl_learns_from_a_bank_and_is_probed(archive: Path, tmp_path: Path) -> None:
    bank = make_bank(tmp_path / "bank")
    trained = [archive, tmp_path / "runs", "--bank", bank, "--split", "fold", "--epochs", 8, "--seeds", 2, *FAST]
    trained += ["--softening", 0.7]
    figures = json.loads(run(pretrain, *trained, "--json"))
    assert sorted(Path(folder).name for folder in figures) == ["seed0", "seed1"]
    for values in figures.values():
        assert values["softening"] > 0
        assert np.isfinite(values["loss"])
    run(pretrain, archive, tmp_path / "random", "--method", "random", *FAST)
    result = json.loads(run(probe, archive, tmp_path / "runs", "--split", "fold", "--json"))
    assert [entry["n"] for entry in result["runs"]] == [12, 12]
    assert result["mean"]["top1"] > 0.8
    assert set(result["spread"]) == {"top1", "balanced"}
    # The embedding lies in the knowledge's space, and labels were kept out of the model.
    encoder, about = load_model(tmp_path / "runs" / "seed0")
    assert encoder.embedding_size == 5
    assert about.labels == []
    assert encoder.classifier is None
    settings = json.loads((tmp_path / "runs" / "seed1" / "settings.json").read_text())
    assert settings["loop"]["seed"] == 1
    assert settings["objective"]["softening"] == 0.7
    # Run again: finished seeds are left as they are.
    assert json.loads(run(pretrain, *trained, "--json")) == {}


def test_every_protocol(archive: Path, tmp_path: Path) -> None:
    for stream in ("joint", "bone", "motion"):
        run(pretrain, archive, tmp_path / stream, "--method", "random", "--stream", stream, *PLAIN, *FAST)
    joint = tmp_path / "joint"

    def judged(*arguments: object) -> dict:
        return json.loads(run(probe, archive, joint, "--split", "fold", "--json", *arguments))

    linear = judged("--protocol", "linear")
    assert "C_joint" in linear["runs"][0]
    # A setting, and no result: it has neither mean nor spread.
    assert set(linear["mean"]) == set(linear["spread"]) == {"top1", "balanced"}
    assert judged("--protocol", "knn", "--k", 3)["mean"]["top1"] > 0.5
    few = judged("--shots", 1, "--draws", 4)
    assert [entry["draw"] for entry in few["runs"]] == [0, 1, 2, 3]
    assert len({entry["top1"] for entry in judged("--share", "0.15", "--draws", 6)["runs"]}) > 1
    strange = judged("--protocol", "one-class", "--normal", "up")
    assert set(strange["mean"]) == {"auc_v0", "auc_v1", "auc"}
    assert strange["mean"]["auc"] > 0.6
    streams = [tmp_path / stream for stream in ("joint", "bone", "motion")]
    fused = json.loads(run(probe, archive, *streams, "--split", "fold", "--json"))
    assert fused["runs"][0]["n"] == 12
    with pytest.raises(UsageError, match="same stream"):
        run(probe, archive, joint, joint, "--split", "fold")
    with pytest.raises(UsageError, match="nothing|has fold"):
        run(probe, archive, joint, "--split", "nonsense")
    with pytest.raises(UsageError, match="--normal"):
        run(probe, archive, joint, "--split", "fold", "--protocol", "one-class", "--normal", "asleep")
    with pytest.raises(EdgeC2VLError, match="no finished run"):
        run(probe, archive, tmp_path, "--split", "fold")


def test_skeleton_clr_from_the_command_line(archive: Path, tmp_path: Path) -> None:
    said = run(pretrain, archive, tmp_path / "run", "--method", "skeleton-clr", "--epochs", 2, "--key-queue", 16, *FAST)
    assert "retrieval" in said
    with pytest.raises(UsageError, match="already"):
        run(pretrain, archive, tmp_path / "run", "--method", "skeleton-clr", *FAST)


def test_mixed_precision_varies_the_clips_in_full_precision(archive: Path, tmp_path: Path) -> None:
    figures = {}
    for precision in ("32-true", "bf16-mixed"):
        run(pretrain, archive, tmp_path / precision, "--bank", make_bank(tmp_path / f"bank-{precision}"),
            "--split", "fold", "--epochs", 2, "--precision", precision, *FAST)  # fmt: skip
        figures[precision] = json.loads((tmp_path / precision / "metrics.jsonl").read_text().splitlines()[-1])["loss"]
    assert figures["bf16-mixed"] == pytest.approx(figures["32-true"], rel=0.02)


def test_banks_that_do_not_fit_are_named(archive: Path, tmp_path: Path) -> None:
    opened, rows, settings = Archive.open(archive), np.arange(CLIPS), PretrainSettings()
    language = Bank.open(make_bank(tmp_path / "language"))
    lacking = Bank.open(make_bank(tmp_path / "lacking", skip=3))
    with pytest.raises(BankError, match=r"lacks 3 of 36 samples, the first clip0"):
        gather_knowledge(opened, rows, [lacking], settings, 0)
    assert len(gather_knowledge(opened, rows[3:], [lacking], settings, 0)[0]) == 66  # what is asked for is there
    with pytest.raises(UsageError, match="--bank"):
        gather_knowledge(opened, rows, [], settings, 0)
    with pytest.raises(UsageError, match="more than one bank"):
        gather_knowledge(opened, rows, [language, lacking], settings, 0)
    _, kept, _ = gather_knowledge(opened, rows, [language], PretrainSettings(knowledge_size=99), 0)
    assert kept["language"].shape[2] == 5  # all that there are
    with pytest.raises(UsageError, match="--mistakes does nothing without --exchange"):
        PretrainSettings(mistakes="class")
    with pytest.raises(UsageError, match="no use"):
        run(pretrain, archive, tmp_path / "run", "--method", "skeleton-clr", "--bank", language.path, *FAST)
    # A run that was begun with one bank is not resumed with one of another dimension.
    start = [archive, tmp_path / "run", "--epochs", 1, *FAST]
    run(pretrain, *start, "--bank", language.path)
    wider = make_bank(tmp_path / "wider", size=9)
    (tmp_path / "run" / "model.safetensors").unlink()
    with pytest.raises(EdgeC2VLError, match="another encoder or task"):
        run(pretrain, *start, "--bank", wider, "--resume")


def test_vision_of_whole_recordings_joins_the_words_of_crops(archive: Path, tmp_path: Path) -> None:
    opened, rows = Archive.open(archive), np.arange(CLIPS)
    language = Bank.open(make_bank(tmp_path / "language"))
    vision = Bank.open(make_bank(tmp_path / "vision", kind="vision", crops=False, size=4))
    windows, knowledge, _ = gather_knowledge(opened, rows, [vision, language], PretrainSettings(prepare="none"), 0)
    assert len(windows) == 2 * CLIPS
    assert knowledge["language"].shape == (72, 2, 5)
    assert knowledge["vision"].shape == (72, 2, 4)
    for index in range(len(windows)):
        expected = vision.embeddings[vision.rows_of(f"clip{windows.clip[index]}")[0]]
        np.testing.assert_allclose(knowledge["vision"][index], expected, atol=1e-6)
    other = Bank.open(make_bank(tmp_path / "other", kind="vision"))
    other.spans = other.spans * 0.9
    with pytest.raises(BankError, match="other windows"):
        gather_knowledge(opened, rows, [language, other], PretrainSettings(), 0)


def test_joined_captions_stand_side_by_side(archive: Path, tmp_path: Path) -> None:
    opened = Archive.open(archive)
    bank = Bank.open(make_bank(tmp_path / "bank"))
    _, knowledge, _ = gather_knowledge(opened, np.arange(CLIPS), [bank], PretrainSettings(join=True), 0)
    joined = bank.embeddings - bank.embeddings.mean(axis=0)
    joined = joined.reshape(72, 10)
    joined /= np.linalg.norm(joined, axis=1, keepdims=True)
    assert knowledge["language"].shape == (72, 1, 10)
    np.testing.assert_allclose(knowledge["language"][:, 0], joined, atol=1e-4)


def test_what_was_fitted_before_is_not_fitted_again(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, rows, fitted = Archive.open(archive), np.arange(CLIPS), {}
    bank = Bank.open(make_bank(tmp_path / "bank"))

    def knowledge(settings: PretrainSettings, some: np.ndarray = rows) -> np.ndarray:
        return gather_knowledge(opened, some, [bank], settings, 0, fitted)[1]["language"].numpy()

    first, whitened = knowledge(PretrainSettings()), knowledge(PretrainSettings(prepare="whiten"))
    fewer = knowledge(PretrainSettings(), rows[3:])
    assert len(fitted) == 3
    monkeypatch.setattr(gather, "_preparation", lambda *_: pytest.fail("fitted again"))
    np.testing.assert_array_equal(knowledge(PretrainSettings()), first)
    # Whose clips are given whose knowledge by mistake is no part of it.
    assert (knowledge(PretrainSettings(exchange=1.0)) != first).any()
    np.testing.assert_array_equal(knowledge(PretrainSettings(prepare="whiten")), whitened)
    np.testing.assert_array_equal(knowledge(PretrainSettings(), rows[3:]), fewer)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("method", ["c2vl", "skeleton-clr"])
def test_two_processes_train_one_model(archive: Path, tmp_path: Path, method: str) -> None:
    """torchrun on the CPU: negatives, queue and EMA student work across processes, and a finished run is resumed."""
    knowledge = ["--bank", make_bank(tmp_path / "bank"), "--queue", 20] if method == "c2vl" else []
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2,
        Path(__file__).resolve().parents[2] / "cli.py", "train", "pretrain", archive, tmp_path / "run",
        "--method", method, *knowledge, *FAST, "--epochs", 4,
    ]  # fmt: skip
    environment = os.environ | {"EDGE_C2VL_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    for more in ([], ["--resume", "--json"]):
        arguments = [str(argument) for argument in (*command, *more)]
        done = subprocess.run(arguments, capture_output=True, text=True, env=environment, timeout=400)
        assert done.returncode == 0, done.stderr[:3000]
        assert done.stdout.count("rankme" if more else "effective rank") == (2 if more else 1)  # one process speaks
    metrics = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in metrics] == [1, 2, 3, 4]
    assert metrics[-1]["step"] == 4 * (36 // 16)
    assert all(np.isfinite(line["loss"]) for line in metrics)
