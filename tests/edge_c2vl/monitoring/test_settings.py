"""Settings from YAML."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_c2vl.errors import UsageError
from edge_c2vl.monitoring.policy_file import read_policy
from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.runtime.run import reread
from edge_c2vl.runtime.settings import RunSettings
from edge_c2vl.runtime.signals import Stopped, handled
from edge_c2vl.settings.config_file import read_settings
from tests.support.waiting import wait_for


def test_what_is_named_is_changed_and_the_rest_stays(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("policy:\n  warning_fast_s: 3\n  cannot_see_s: 20.5\n")
    assert read_policy(path) == PolicySettings(warning_fast_s=3, cannot_see_s=20.5)
    path.write_text("policy:\n  # warning_fast_s: 3\n")
    assert read_policy(path) == PolicySettings()


# Nine lines that stand for a billion values, which no message may spell out.
BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
BOMB += "policy: {recovery: *a9}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("policy:\n  warning_s: 3\n", "no setting 'warning_s'; there are smoothing_s"),
        ("policy:\n  recovery: fast\n", "recovery is a number above 0"),
        ("policy:\n  recovery: -1\n", "recovery is a number above 0"),
        ("policy: 3\n", "below `policy:`"),
        ("alerts: {}\n", "below `policy:`"),
        ("- 1\n", "lines of `name: value`"),
        ("policy: [\n", "not YAML"),
        ("", "it is empty"),
        ("# nothing\n", "it is empty"),
        ("policy: 0\n", "below `policy:`"),
        ("policy: ''\n", "below `policy:`"),
        ("policy: []\n", "below `policy:`"),
        ("policy: false\n", "below `policy:`"),
        (f"policy:\n  recovery: {'9' * 400}\n", "a number that is too large"),
        (f"policy:\n  recovery: {'9' * 5000}\n", "not YAML"),
        (f"policy:\n  recovery: {'x' * 50_000}\n", "recovery is a number above 0"),
        ("policy:\n  recovery: .nan\n", "recovery is a number above 0"),
        (BOMB, "aliases"),
        (f"policy: {'[' * 20_000}", "not YAML"),
        ("#" * 100_000, "more than 65536 bytes"),
        ("policy: !!python/object/apply:os.system ['true']\n", "not YAML"),
    ],
)
def test_what_is_wrong_is_told_with_the_file(tmp_path, text, message):
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as error:
        read_policy(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1000


def test_what_is_no_file_is_told_and_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(UsageError, match="the settings cannot be read"):
            read_policy(path)


def test_a_file_of_gigabytes_is_told(tmp_path):
    path = tmp_path / "settings.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 33)
    with pytest.raises(UsageError, match="more than 65536 bytes"):
        read_policy(path)


def test_no_file(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read_policy(tmp_path / "nowhere.yaml")


@given(st.binary(max_size=200))
def test_whatever_the_file_holds_it_is_settings_or_one_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("settings") / "settings.yaml"
    path.write_bytes(content)
    with contextlib.suppress(UsageError):
        assert isinstance(read_policy(path), PolicySettings)


class Asked:
    """What the signals ask a run for."""

    def __init__(self):
        self.stopped = self.reread = 0

    def stop(self):
        self.stopped += 1

    def reread_policy(self):
        self.reread += 1


def test_sighup_reads_the_settings_where_there_are_some_and_else_ends():
    for rereads in (True, False):
        asked = Asked()
        with handled(rereads) as signals:
            signals.connect(asked.stop, asked.reread_policy)
            os.kill(os.getpid(), signal.SIGHUP)
            wait_for(lambda asked=asked: asked.reread + asked.stopped == 1)
            assert (asked.reread, asked.stopped) == (int(rereads), int(not rereads))
            os.kill(os.getpid(), signal.SIGTERM)
            assert asked.stopped == 1 + int(not rereads)


def test_a_signal_before_there_is_a_run_ends_the_start_once_and_a_reload_is_kept():
    for number, raised in ((signal.SIGTERM, Stopped), (signal.SIGHUP, Stopped), (signal.SIGINT, KeyboardInterrupt)):
        with handled(rereads=False):
            with pytest.raises(raised):
                os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)  # while it is being ended
    asked = Asked()
    with handled(rereads=True) as signals:
        os.kill(os.getpid(), signal.SIGHUP)
        signals.connect(asked.stop, asked.reread_policy)
        wait_for(lambda: asked.reread == 1)


def test_a_hang_up_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with handled(rereads=False):
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


class Taking:
    """Stands for a pipeline that takes settings."""

    def __init__(self):
        self.policy = None

    def set_policy(self, settings):
        self.policy = settings


@pytest.mark.parametrize("option", ["config", "settings"])
def test_settings_are_read_again_and_kept_where_they_are_wrong(tmp_path, caplog, option):
    path = tmp_path / "settings.yaml"
    path.write_text("policy:\n  recovery: 3\n")
    given, config = ({"settings": str(path)}, None) if option == "settings" else ({}, path)

    def read_again():
        return read_settings(given, config, RunSettings)[0]

    pipeline, asked = Taking(), read_again()
    path.write_text("policy:\n  recovery: 4\n")
    reread(pipeline, asked, read_again)
    assert pipeline.policy == PolicySettings(recovery=4)
    for wrong in ("policy:\n  recovery: fast\n", "", "policy: 0\n", "hop: 0.1\npolicy:\n  recovery: -1\n"):
        path.write_text(wrong)
        reread(pipeline, asked, read_again)
        assert pipeline.policy == PolicySettings(recovery=4)
    assert caplog.text.count("settings kept") == 4


def test_what_another_start_alone_can_take_is_told(tmp_path, caplog):
    path = tmp_path / "config.yaml"
    path.write_text("hop: 0.2\npolicy:\n  recovery: 3\n")
    pipeline = Taking()

    def read_again():
        return read_settings({"camera": "0"}, path, RunSettings)[0]

    asked = read_again()
    reread(pipeline, asked, read_again)
    assert "next start" not in caplog.text
    path.write_text("hop: 0.1\nserve: true\npolicy:\n  recovery: 4\n")
    reread(pipeline, asked, read_again)
    assert pipeline.policy == PolicySettings(recovery=4)
    assert "taken at the next start: --hop, --serve" in caplog.text
