"""The same recording through the live pipeline, and through an archive and eval's functions: the same answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_c2vl.monitoring.events import Decision
from edge_c2vl.outputs.base import Sink
from edge_c2vl.runtime.run import watch
from edge_c2vl.runtime.settings import RunSettings
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.windows import Windows, clip_of
from tests.support.videos import Recordings
from train.evaluation.models import BundleModel
from train.evaluation.predictions import through
from train.extraction.extract import extract, find_videos
from train.extraction.video import ExtractSettings
from train.extraction.workers import Event, Job, attempt

# Both look at the same pictures.
pytestmark = pytest.mark.usefixtures("kept_answers")

HOP_S = 0.2


class Decisions(Sink):
    def __init__(self) -> None:
        self.taken: list[Decision] = []

    def decision(self, decision: Decision) -> None:
        self.taken.append(decision)


def in_this_process(queue: deque[Job], recipe: ExtractSettings) -> Iterator[Event]:
    while queue:
        yield attempt(queue.popleft(), recipe, lambda share: None)


@pytest.mark.parametrize("name", ["phoning.mp4", "video/walk.mkv", "video/action_recognition.gif"])
def test_run_and_eval_give_the_same_clips_and_logits(recording: Recordings, tmp_path: Path, name: str) -> None:
    video = recording(name)
    live = Decisions()
    watch(RunSettings.of(camera=str(video), hop=HOP_S, precision="fp32", backend="onnxruntime:cpu", quiet=True), [live])
    judged = [decision for decision in live.taken if decision.logits is not None]
    assert len(judged) >= 8

    extract(find_videos([video]), tmp_path / "archive", ExtractSettings(), runner=in_this_process)
    archive = Archive.open(tmp_path / "archive")
    with BundleModel("default", "onnxruntime:cpu", "fp32") as model:
        spec = model.spec
        ends = [decision.timestamp_s for decision in judged]
        windows = Windows.make([(0, end - spec.seconds, end, -1) for end in ends])
        logits = through(model.logits, archive, windows, spec, "parity")
        np.testing.assert_allclose(logits, [decision.logits for decision in judged], atol=1e-4)
        # The rest of the clip agrees as well: how much of the arms was seen, and how surely.
        for decision in judged:
            clip = clip_of(archive, 0, decision.timestamp_s - spec.seconds, decision.timestamp_s, spec)
            assert clip.arms == pytest.approx(decision.arms, abs=1e-6)
            assert clip.confidence == pytest.approx(decision.pose_confidence, abs=1e-5)
        # The logits differ from window to window, or agreement would say nothing.
        assert np.ptp(logits, axis=0).max() > 0.01
