"""Settings from YAML."""

from __future__ import annotations

import contextlib
import os
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_c2vl.errors import UsageError
from edge_c2vl.live import _signals
from edge_c2vl.policy import PolicySettings
from edge_c2vl.settings import read_settings


def test_what_is_named_is_changed_and_the_rest_stays(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("policy:\n  warning_fast_s: 3\n  cannot_see_s: 20.5\n")
    assert read_settings(path) == PolicySettings(warning_fast_s=3, cannot_see_s=20.5)
    path.write_text("")
    assert read_settings(path) == PolicySettings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("policy:\n  warning_s: 3\n", "no setting 'warning_s'; there are smoothing_s"),
        ("policy:\n  recovery: fast\n", "recovery is a number above 0"),
        ("policy:\n  recovery: -1\n", "recovery is a number above 0"),
        ("policy: 3\n", "below `policy:`"),
        ("alerts: {}\n", "below `policy:`"),
        ("- 1\n", "below `policy:`"),
        ("policy: [\n", "not YAML"),
        ("policy: !!python/object/apply:os.system ['true']\n", "not YAML"),
    ],
)
def test_what_is_wrong_is_told_with_the_file(tmp_path, text, message):
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as error:
        read_settings(path)
    assert str(path) in str(error.value)


def test_no_file(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read_settings(tmp_path / "nowhere.yaml")


@given(st.binary(max_size=200))
def test_whatever_the_file_holds_it_is_settings_or_one_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("settings") / "settings.yaml"
    path.write_bytes(content)
    with contextlib.suppress(UsageError):
        assert isinstance(read_settings(path), PolicySettings)


class Taking:
    """Stands for a pipeline that takes settings."""

    def __init__(self):
        self.policy = None

    def set_policy(self, settings):
        self.policy = settings

    def stop(self):
        pass


def test_sighup_reads_the_settings_again_and_keeps_them_where_they_are_wrong(tmp_path, caplog):
    path = tmp_path / "settings.yaml"
    path.write_text("policy:\n  recovery: 3\n")
    pipeline = Taking()
    with _signals(pipeline, str(path)):
        os.kill(os.getpid(), signal.SIGHUP)
        assert pipeline.policy == PolicySettings(recovery=3)
        path.write_text("policy:\n  recovery: fast\n")
        os.kill(os.getpid(), signal.SIGHUP)
        assert pipeline.policy == PolicySettings(recovery=3)
    assert "settings kept" in caplog.text
