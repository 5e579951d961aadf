"""Which estimator an archive's skeletons are of, and that no other one goes on with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_c2vl.errors import ArchiveError
from edge_c2vl.pose import identity_of
from edge_c2vl.skeletons.archive import Archive
from tests.support.scripted_videos import Scripted, some_videos
from train.extraction.extract import Video, extract, find_videos, fingerprint
from train.extraction.video import ExtractSettings

# Of one video of 100 bytes, as the version before there were two estimators computed it.
FINGERPRINT = "f7ef9c5b68bc24ea703a7d38"


class TestEstimator:
    """Skeletons of two estimators do not come into one archive."""

    @pytest.fixture(autouse=True)
    def mediapipe(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The reference as if it were installed; nothing here runs it."""
        monkeypatch.setattr("edge_c2vl.pose.mediapipe.identity", lambda model: "mediapipe 0.10.14")

    def test_the_archive_says_who_found_the_skeletons(self, tmp_path: Path) -> None:
        videos = find_videos([some_videos(tmp_path / "videos")])
        extract(videos, tmp_path / "a", ExtractSettings(), runner=Scripted())
        assert Archive.open(tmp_path / "a").meta["pose"] == identity_of()
        extract(videos, tmp_path / "b", ExtractSettings(pose="mediapipe"), runner=Scripted())
        assert Archive.open(tmp_path / "b").meta["pose"] == "mediapipe 0.10.14"

    def test_another_estimator_does_not_go_on(self, tmp_path: Path) -> None:
        videos = find_videos([some_videos(tmp_path / "videos")])
        with pytest.raises(KeyboardInterrupt):
            extract(videos, tmp_path / "a", ExtractSettings(pose="mediapipe"), runner=Scripted(stop_after=2))
        runner = Scripted()
        with pytest.raises(ArchiveError, match=r"followed by mediapipe 0\.10\.14, not by blazepose .*--pose mediapipe"):
            extract(videos, tmp_path / "a", ExtractSettings(), runner=runner)
        assert runner.read == []
        assert extract(videos, tmp_path / "a", ExtractSettings(pose="mediapipe"), runner=runner).kept == 2
        with pytest.raises(ArchiveError, match=r"found by mediapipe 0\.10\.14 and not by blazepose"):
            extract(videos, tmp_path / "a", ExtractSettings(), runner=runner)

    def test_what_an_older_version_left_is_mediapipes(self, tmp_path: Path) -> None:
        """It noted nothing, and knew of one estimator."""
        videos, recipe = find_videos([some_videos(tmp_path / "videos")]), ExtractSettings(pose="mediapipe")
        with pytest.raises(KeyboardInterrupt):
            extract(videos, tmp_path / "a", recipe, runner=Scripted(stop_after=2))
        (tmp_path / ".a.extracting" / "pose").unlink()
        with pytest.raises(ArchiveError, match="followed by mediapipe, not by blazepose"):
            extract(videos, tmp_path / "a", ExtractSettings(), runner=Scripted())
        assert extract(videos, tmp_path / "a", recipe, runner=Scripted()).kept == 2
        meta = json.loads((tmp_path / "a" / "meta.json").read_text())
        del meta["pose"]
        (tmp_path / "a" / "meta.json").write_text(json.dumps(meta))
        assert extract(videos, tmp_path / "a", recipe, runner=Scripted()).kept == 4
        with pytest.raises(ArchiveError, match="found by mediapipe and not by blazepose"):
            extract(videos, tmp_path / "a", ExtractSettings(), runner=Scripted())

    def test_mediapipes_fingerprints_are_those_of_older_versions(self) -> None:
        """Else nobody could go on with what is there, or use what is in the cache."""
        video = Video("0.mp4", "/videos/0.mp4", 100, 1)
        assert fingerprint([video], ExtractSettings(pose="mediapipe")) == FINGERPRINT
        assert (
            fingerprint([video], ExtractSettings(pose="blazepose"))
            == fingerprint([video], ExtractSettings())
            != FINGERPRINT
        )
