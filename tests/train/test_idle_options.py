"""An option of `edge-c2vl train` that does nothing as it is given is refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_c2vl.errors import UsageError
from edge_c2vl.settings.fields import options_of
from tests.support.training import make_bank, write_movements
from train.commands.train import train
from train.settings.pretraining import ObjectiveSettings, PretrainSettings
from train.settings.probe import ProbeSettings
from train.settings.training import AugmentSettings, DataSettings, EncoderSettings, LoopSettings


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_movements(tmp_path_factory.mktemp("idle") / "archive")


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bank(tmp_path_factory.mktemp("idle") / "bank")


def refusal(*arguments: object) -> str:
    result = CliRunner().invoke(train, [str(argument) for argument in arguments])
    assert isinstance(result.exception, UsageError), result.output
    return str(result.exception)


@pytest.mark.parametrize(
    ("method", "given", "needed"),
    [
        ("slim", "--skeleton-weight 0.5", "--method c2vl"),
        ("slim", "--no-self-similarity", "--method c2vl"),
        ("skeleton-clr", "--softening 0.5", "--method c2vl"),
        ("random", "--knowledge-size 8", "--method c2vl"),
        ("random", "--ema-momentum 0.9", "--method c2vl or --method skeleton-clr or --method slim"),
        ("skeleton-clr", "--prototypes 8", "--method slim or --skeleton-weight"),
        ("slim", "--key-queue 8", "--method skeleton-clr"),
        ("slim", "--preset paper --joined 8", "--graph-blocks or --network spans or --network transformer"),
    ],
)
def test_what_another_method_has(archive: Path, tmp_path: Path, method: str, given: str, needed: str) -> None:
    name = next(part for part in reversed(given.split()) if part.startswith("--"))
    says = f"{name} does nothing without {needed}: add it, or leave {name} out"
    assert refusal("pretrain", archive, tmp_path / "run", "--method", method, *given.split()) == says
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("--prototypes 8", "--prototypes does nothing without --method slim or --skeleton-weight"),
        ("--pair-temperature 0.1", "--pair-temperature does nothing without --cycle-consistency"),
        ("--weight-spread 0.3", "--weight-spread does nothing without --least-weight"),
        ("--cycle-consistency --no-cross-consistency", "--cycle-consistency changes the targets that"),
        ("--own-similarity --no-self-similarity", "--own-similarity changes the targets that"),
        ("--seconds 3", "--seconds does nothing without --method skeleton-clr"),
        ("--embedding 8", "--embedding does nothing without --hidden"),
    ],
)
def test_what_c2vl_does_not_use(archive: Path, bank: Path, tmp_path: Path, given: str, says: str) -> None:
    assert says in refusal("pretrain", archive, tmp_path / "run", "--bank", bank, *given.split())


def test_a_file_may_serve_several_methods(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "runs.yaml").write_text("softening: 0.5\nknowledge_size: 8\nwidth: 4\nblocks: 3\n")
    asked = ["pretrain", archive, tmp_path / "run", "--config", tmp_path / "runs.yaml", "--method", "random"]
    result = CliRunner().invoke(train, [str(argument) for argument in asked], catch_exceptions=False)
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("--hop-s 2", "--hop-s does nothing without --seconds"),
        ("--joined 8", "--joined does nothing without --graph-blocks or --network spans"),
        ("--network spans --width 8", "--width does nothing without --network st-gcn"),
        ("--network transformer --features 8", "--features does nothing without --network st-gcn"),
        ("--network spans --graph-blocks 2", "--graph-blocks does nothing without --network st-gcn"),
        # It reads --joined: what is refused is something else.
        ("--network spans --joined 8 --batch-size 1000", "--batch-size"),
        ("--level tasklevel", "--level does nothing without --dataset drive-act"),
        ("--dataset nw-ucla --input pose", "--input does nothing without --dataset drive-act"),
    ],
)
def test_what_finetuning_does_not_use(archive: Path, tmp_path: Path, given: str, says: str) -> None:
    assert says in refusal("finetune", archive, tmp_path / "run", *given.split())


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        ("--k 3", "--protocol knn"),
        ("--protocol linear --distance cosine", "--protocol one-class"),
        ("--hold-out 0.5", "--protocol linear"),
        ("--protocol one-class --shots 5", "--protocol fixed or --protocol linear or --protocol knn"),
        ("--draws 5", "--share or --shots"),
    ],
)
def test_what_another_protocol_has(archive: Path, tmp_path: Path, given: str, needed: str) -> None:
    assert f"does nothing without {needed}:" in refusal("probe", archive, tmp_path, "--split", "fold", *given.split())


def test_a_pretrained_model_has_its_form(archive: Path, tmp_path: Path) -> None:
    made = ["pretrain", archive, tmp_path / "run", "--method", "random", "--width", 4, "--blocks", 3, "--frames", 12]
    assert CliRunner().invoke(train, [str(argument) for argument in made]).exit_code == 0
    tuned = ["finetune", archive, tmp_path / "tuned", "--from", tmp_path / "run"]
    for name, own in (("--width", 4), ("--frames", 12)):
        says = f"{name} does nothing with --from: {tmp_path / 'run'} has {own} there; leave {name} out"
        assert refusal(*tuned, name, 8) == says
    assert "--joints does nothing with --from" in refusal(*tuned, "--joints", "upper")
    # What is as it was anyway goes on to the next fault.
    assert "--batch-size" in refusal(*tuned, "--width", 4, "--joints", "all", "--batch-size", 1000)


def test_what_is_needed_there_is() -> None:
    settings = (EncoderSettings, AugmentSettings, PretrainSettings, ObjectiveSettings, LoopSettings)
    for classes in (settings, (EncoderSettings, DataSettings, LoopSettings), (ProbeSettings,)):
        options = {option.name: option for option in options_of(*classes)}
        for option in options.values():
            for name, _, value in (need.partition("=") for need in option.metadata["needs"]):
                assert name in options
                assert not value or value in options[name].metadata["choices"]
