"""Settings: every field is a flag and a YAML key; a flag wins over the file; what is wrong is named."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from edge_c2vl.errors import UsageError
from edge_c2vl.settings.config_file import read_settings
from edge_c2vl.settings.fields import own_options, setting
from edge_c2vl.settings.flags import settings_options
from train.settings.pretraining import ObjectiveSettings, PretrainSettings
from train.settings.probe import ProbeSettings
from train.settings.training import AugmentSettings, DataSettings, EncoderSettings, LoopSettings

CLASSES = (EncoderSettings, AugmentSettings, DataSettings, LoopSettings)


def read(*arguments: str) -> list[Any]:
    found: list[Any] = []

    @click.command()
    @settings_options(*CLASSES)
    def command(config: Path | None, **flags: Any) -> None:
        found.extend(read_settings(flags, config, *CLASSES))

    result = CliRunner().invoke(command, list(arguments), standalone_mode=False)
    if result.exception:
        raise result.exception
    return found


def test_every_field_with_a_help_text_is_a_flag_of_its_own() -> None:
    names = [field.name for cls in CLASSES for field in dataclasses.fields(cls) if field.metadata]
    assert len(names) == len(set(names))
    for cls in CLASSES:
        for field in dataclasses.fields(cls):
            if field.metadata and not isinstance(field.default, bool):
                settings = read("--" + field.name.replace("_", "-"), str(field.default))
                assert settings == [kind() for kind in CLASSES], field.name


def test_help_shows_bounds_where_there_are_any() -> None:
    @dataclasses.dataclass
    class Bounded:
        """Bounded."""

        free: float = setting(0.5, "Free.")
        count: int = setting(2, "Count.")
        share: float = setting(0.5, "Share.", least=0, most=1)

    @click.command()
    @settings_options(Bounded)
    def command(**_: Any) -> None:
        """Nothing."""

    told = " ".join(CliRunner().invoke(command, ["--help"]).output.split())
    assert "--free FLOAT Free." in told
    assert "--count INTEGER Count." in told
    assert "0<=x<=1" in told
    assert "None" not in told


def test_a_flag_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text("epochs: 7\nlearning-rate: 1e-3\nbatch_size: 9\npresence: true\nweight_decay: 0\n")
    encoder, _, _, loop = read("--config", str(config), "--epochs", "3", "--no-tensorboard")
    assert (loop.epochs, loop.learning_rate, loop.batch_size, loop.weight_decay) == (3, 0.001, 9, 0.0)
    assert encoder.presence is True
    assert loop.tensorboard is False
    assert loop.optimiser == "adamw"


@pytest.mark.parametrize(("content", "message"), [
    ("epoch: 3", "no setting 'epoch'"),
    ("epochs: many", "epochs is a whole number of at least 1, not 'many'"),
    ("epochs: true", "epochs is a whole number of at least 1, not True"),
    ("presence: 1", "presence is true or false, not 1"),
    ("- epochs", "name: value"),
    ("a: [", "not YAML"),
])  # fmt: skip
def test_a_wrong_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(content)
    with pytest.raises(UsageError, match=message):
        read("--config", str(config))
    with pytest.raises(UsageError, match="No such file"):
        read("--config", str(tmp_path / "none.yaml"))


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"average": 1.0}, {"optimiser": "lion"}, {"precision": "fp8"}])
def test_values_that_cannot_be_name_the_flag(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="--" + next(iter(wrong))):
        LoopSettings(**wrong)


@pytest.mark.parametrize("cls", [*CLASSES, PretrainSettings, ObjectiveSettings, ProbeSettings])
def test_every_number_has_a_range(cls: type) -> None:
    """Without one a negative number reaches PyTorch, or trains something that nobody asked for."""
    numbers = [option for option in own_options(cls) if option.kind in (int, float)]
    assert [option.name for option in numbers if not option.range] == []


@pytest.mark.parametrize(
    "given",
    [
        "dropout 2", "share 2", "learning-rate -1", "weight-decay -5", "smoothing 1", "mirror 3", "seed -1",
        "threads -5", "embedding -4", "features -3", "temporal-kernel -3", "temporal-kernel 4", "crop 0",
        "jitter -1", "mask-joints 5", "evaluate-every -1", "seed 99999999999999999999", "frames 1000000",
        "width 100000", "average 1",
    ],
)  # fmt: skip
def test_a_number_out_of_range_is_wrong_usage(given: str) -> None:
    name, value = given.split()
    with pytest.raises((UsageError, click.UsageError)) as told:
        read(f"--{name}", value)
    assert f"--{name}" in (told.value.format_message() if isinstance(told.value, click.UsageError) else str(told.value))


def test_help_tells_ranges_and_defaults_of_0() -> None:
    @click.command()
    @settings_options(*CLASSES)
    def command(**flags: Any) -> None:
        """Nothing."""

    text = " ".join(CliRunner().invoke(command, ["--help"]).output.split())
    assert "None" not in text
    assert "[default: 0] [0<=x<=2147483647]" in text
    assert "[default: 0.0] [0<=x<=0.99]" in text
