"""`edge-c2vl run --config`: every option is declared once, is a flag and a key, and comes back from a printed file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest

from edge_c2vl.commands.run import run
from edge_c2vl.errors import UsageError
from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.runtime.settings import RunSettings
from edge_c2vl.settings.config_file import read_settings
from edge_c2vl.settings.fields import Option, flag, options_of
from edge_c2vl.settings.print_config import config_text
from tests.support.commands import call

SECRET = "pass-word-0123456789"
# Texts that are hard to write down. An option that is not here gets a value from what it declares.
TEXTS = {
    "camera": "simulated:story?fps=10", "crop": "0.5,0,0.5,1", "pose_model": "lite.task", "bundle": "bündel 1",
    "reasons": "activity,eyes",
    "normal": "a: b # c.npz", "speed": "can:can0?dbc=car.dbc&signal=Speed", "events": "-", "decisions": "file\udcff",
    "output": "null", "mqtt": "mqtts://fleet@broker.example/car-17", "mqtt_queue": "~", "metrics": "0.0.0.0:9464",
    "webhook": "http://127.0.0.1/hook", "alert_clips": "yes", "serve": "", "public_url": "https://fleet.example/car-17",
}  # fmt: skip


def other_value(option: Option) -> Any:
    """A value that is not the default."""
    found: list[Any] = [not option.default] if option.kind is bool else list(option.metadata["choices"])
    if option.kind in (int, float):
        least, most, above = (option.metadata[name] for name in ("least", "most", "above"))
        found = [
            option.kind(bound) for bound in (least, most, None if above is None else above + 1, 7) if bound is not None
        ]
    return TEXTS.get(option.name, next((value for value in found if value != option.default), "text"))


# `settings` and `policy:` exclude each other.
OTHER = {option.name: other_value(option) for option in options_of(RunSettings) if option.name != "settings"}


def from_file(path: Path, **given) -> RunSettings:
    return read_settings(given, path, RunSettings)[0]


def printed(tmp_path: Path, settings: RunSettings) -> tuple[Path, list[str]]:
    text, left_out = config_text(settings, "Head.")
    (tmp_path / "config.yaml").write_text(text, "utf-8", "surrogateescape")
    return tmp_path / "config.yaml", left_out


def test_every_option_of_the_command_is_declared_once_and_no_other_is_there():
    names = [option.name for option in options_of(RunSettings)]
    assert len(names) == len(set(names))
    assert [one.name for one in run.params if isinstance(one, click.Option)] == ["config", *names, "print_config"]
    help_text = call("run", "--help").output
    assert all(flag(name) in help_text for name in names)


def test_what_is_printed_is_read_as_it_was(tmp_path):
    every = RunSettings.of(**OTHER, policy=PolicySettings(recovery=3, warning_fast_s=2.5))
    for settings in (RunSettings(), every, RunSettings.of(settings="limits.yaml", serve="127.0.0.1:8480")):
        path, left_out = printed(tmp_path, settings)
        assert left_out == []
        assert from_file(path) == settings


def test_what_is_printed_as_a_comment_is_the_default(tmp_path):
    path, _ = printed(tmp_path, RunSettings())
    text, count = path.read_text(), 0
    for name in [flag(option.name)[2:] for option in options_of(RunSettings)] + list(vars(PolicySettings())):
        text, found = re.subn(rf"^( *)# ({name}:)", r"\1\2", text, flags=re.MULTILINE)
        count += found
    assert count == len(options_of(RunSettings)) + len(vars(PolicySettings()))
    path.write_text(text)
    assert from_file(path) == RunSettings()


def test_the_command_line_wins_over_the_file(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("camera: 7\nmirror: true\nhop: 1\nno-alerts: true\nserve: true\nrotate: 90\nfps:\n")
    text = call("run", "--config", path, "--no-mirror", "--hop", "0.5", "--alerts", "--print-config").output
    (tmp_path / "second.yaml").write_text(text)
    found = from_file(tmp_path / "second.yaml")
    assert found == RunSettings.of(camera="7", hop=0.5, serve="", rotate="90")


WRONG = {
    "hup: 0.2": "no setting 'hup'; there are camera, realtime",
    "hop: often": "hop is a number from 0.02 to 1, not 'often'",
    "hop: 2": "hop is a number from 0.02 to 1, not 2",
    "hop: .nan": "hop is a number from 0.02 to 1, not nan",
    "hop: true": "hop is a number from 0.02 to 1, not True",
    "duration: 0": "duration is a number above 0, not 0",
    "duration: .inf": "duration is a number above 0, not inf",
    f"duration: {'9' * 400}": "duration is a number that is too large",
    "width: 0": "width is a whole number from 16 to 16384, not 0",
    "width: 2.5": "width is a whole number from 16 to 16384, not 2.5",
    "mirror: 1": "mirror is true or false, not 1",
    "camera-mode: dark": "camera-mode is one of auto, rgb, ir, not 'dark'",
    "crop: 2,2,2": "crop cannot be used: crop '2,2,2' is not X,Y,W,H",
    "events: [a, b]": "events is text, not a list",
    "events: 2024-01-01": "events is text, not a date",
    "hop: 0.2\nhop: 0.3": "a name stands there twice",
    "serve-video: true\nserve_video: false": "stands there twice",
    "policy:\n  recovery: 0": "recovery is a number above 0",
    "policy:\n  speed: 3": "no setting 'speed'; there are smoothing_s",
    "policy:\n  slow_kmh: 90": "slow_kmh is at most fast_kmh",
    "config: other.yaml": "no setting 'config'",
    "": "it is empty",
    "\0\0\0\0": "not YAML",
    # A value that may be a secret is never quoted.
    f"mqtt: [mqtt://u:{SECRET}@h/t]": "mqtt is text, not a list",
    f"hop: mqtt://u:{SECRET}@h/t": "hop is a number from 0.02 to 1",
    f"mqtts://u:{SECRET}@h/t: 1": "no setting",
    f"mqtt: mqtt://h/t {SECRET}: x": "not YAML: line 1, column",
    f"mqtt: 'mqtt://u:{SECRET}@h": "not YAML: line 1, column",
    f"mqtt: *{SECRET}": "aliases",
    f"width: !!int {SECRET}": "holds a tag (!)",
    "policy:\n  recovery: !!float ''": "holds a tag (!)",
    "!!map [a]": "holds a tag (!)",
}


@pytest.mark.parametrize("content", WRONG, ids=lambda content: content[:30].replace("\0", "0"))
def test_what_is_wrong_in_a_file_is_one_line_with_file_and_key(tmp_path, content):
    path = tmp_path / "config.yaml"
    path.write_text(content)
    with pytest.raises(UsageError) as error:
        call("run", "--config", path, "--camera", "sample")
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert WRONG[content] in message
    assert "\n" not in message
    assert SECRET not in message
    assert error.value.exit_code == 2


def test_a_file_that_is_not_there_or_names_no_camera(tmp_path):
    with pytest.raises(UsageError, match=f"{tmp_path}/none.yaml: the settings cannot be read: No such file"):
        call("run", "--config", tmp_path / "none.yaml")
    (tmp_path / "config.yaml").write_text("hop: 0.2\n")
    with pytest.raises(click.UsageError, match="say what to watch"):
        call("run", "--config", tmp_path / "config.yaml")


def test_options_that_exclude_each_other(tmp_path):
    for wrong in (
        {"events": "-", "decisions": "-"}, {"settings": "a.yaml", "policy": PolicySettings(recovery=3)}, {"hup": 1},
        {"hop": 2}, {"mirror": "yes"},
    ):  # fmt: skip
        with pytest.raises(UsageError, match="--"):
            RunSettings.of(camera="0", **wrong)


ALONE = {
    "mqtt_queue": "--mqtt", "home_assistant": "--mqtt", "serve_video": "--serve", "public_url": "--serve or --metrics",
    "rotate_mb": "--events or --decisions", "learn_normal": "--normal", "forget_normal": "--normal",
    "alert_clips_face": "--alert-clips",
}  # fmt: skip


def test_an_option_that_does_nothing_without_another_is_refused(tmp_path):
    """By flag, in a file, in Python, and before anything is opened."""
    assert {option.name for option in options_of(RunSettings) if option.metadata["needs"]} == set(ALONE)
    for name, others in ALONE.items():
        says = f"^{flag(name)} does nothing without {others}: add it, or leave {flag(name)} out$"
        with pytest.raises(UsageError, match=says) as error:
            RunSettings.of(camera="0", **{name: OTHER[name]})
        assert error.value.exit_code == 2
        for other in others.split(" or "):
            needed = other[2:].replace("-", "_")
            RunSettings.of(camera="0", **{name: OTHER[name], needed: OTHER[needed]})
    with pytest.raises(UsageError, match="^--mqtt-queue does nothing without --mqtt"):
        call("run", "--camera", "0", "--mqtt-queue", "q", "--no-home-assistant")
    (tmp_path / "config.yaml").write_text("camera: 0\nhome-assistant: true\n")
    with pytest.raises(UsageError, match="^--home-assistant does nothing without --mqtt"):
        call("run", "--config", tmp_path / "config.yaml")
    call("run", "--config", tmp_path / "config.yaml", "--mqtt", "mqtt://h/t", "--print-config")


@pytest.mark.parametrize(
    "address",
    [
        ("camera", f"rtsp://u:{SECRET}@cam/1"), ("camera", f"rtsp://{SECRET}@cam/1"), ("webhook", f"https://h/?k={SECRET}"),
        ("mqtt", f"mqtt://u:{SECRET}@h/t"), ("mqtt", f"mqtt://u@h/t?k={SECRET}"), ("mqtt", f"mqtt://u@h/{SECRET}@h/t"),
    ],
)  # fmt: skip
def test_a_secret_is_not_printed_and_that_is_told(address):
    name, value = address
    result = call("run", "--camera", "0", flag(name), value, "--print-config")
    assert SECRET not in result.output
    assert SECRET not in result.stderr
    assert f"left out, because they may hold secrets: {flag(name)};" in result.stderr
    assert re.search(rf"^# {name}: .*by hand", result.stdout, re.MULTILINE)


def test_what_does_nothing_without_a_secret_waits_for_it(tmp_path):
    """Or the printed file would be refused until the secret is written into it."""
    path, left_out = printed(
        tmp_path, RunSettings.of(mqtt=f"mqtt://u:{SECRET}@h/t", mqtt_queue="q", home_assistant=True)
    )
    assert left_out == ["--mqtt"]
    assert from_file(path) == RunSettings()
    text = path.read_text()
    assert "# mqtt-queue: q    # with mqtt\n" in text
    path.write_text(text.replace("# mqtt-queue: q", "mqtt-queue: q").replace("# mqtt: mqtt", "mqtt: mqtt"))
    assert from_file(path).outputs.mqtt_queue == "q"


def test_a_printed_config_runs_as_the_options_did(tmp_path, monkeypatch):
    """The real pipeline over a drawn driver, from options and a policy's file, and then from what they print."""
    monkeypatch.chdir(tmp_path)
    Path("limits.yaml").write_text("policy:\n  smoothing_s: 0.2\n  distracted_above: 0.5\n")
    options = [
        "--camera", "simulated:phoning?live=no&seconds=4&fps=10&size=320x180", "--hop", "0.1", "--mirror", "--quiet",
        "--fps", "10", "--settings", "limits.yaml",
    ]  # fmt: skip
    Path("config.yaml").write_text(call("run", *options, "--print-config").stdout)
    Path("limits.yaml").unlink()
    call("run", "--config", "config.yaml", "--decisions", "second.jsonl")
    Path("limits.yaml").write_text("policy:\n  smoothing_s: 0.2\n  distracted_above: 0.5\n")
    call("run", *options, "--decisions", "first.jsonl")
    first, second = decisions("first.jsonl"), decisions("second.jsonl")
    assert len(first) > 30
    assert first == second


def decisions(name: str) -> list[dict]:
    """Without what the clock has a part in."""
    records = [json.loads(line) for line in Path(name).read_text().splitlines()]
    return [{k: v for k, v in record.items() if k not in ("time", "age_ms", "encoder_ms", "run")} for record in records]


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--pose-model", "none.task", "there is no pose model none.task"),
        ("--crop", "1,2", "--crop cannot be used: crop '1,2' is not X,Y,W,H"),
    ],
)
def test_another_command_holds_the_same_options_to_the_same(tmp_path, option, value, message):
    (tmp_path / "drive.mp4").touch()
    with pytest.raises(UsageError, match=message):
        call("extract", tmp_path / "drive.mp4", tmp_path / "drive.archive", option, value)


def test_what_is_recorded_for_training_is_found_by_the_same_threshold():
    from edge_c2vl.pose.estimator import MIN_DETECTION

    assert RunSettings().pose.min_detection == MIN_DETECTION
