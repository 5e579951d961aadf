"""A file of decisions and a skeleton archive."""

from __future__ import annotations

import pytest

from edge_c2vl.skeletons.archive import ArchiveWriter
from tests.support.drives import drive_of, skeletons, write


@pytest.fixture
def decisions(tmp_path):
    return write(tmp_path / "decisions.jsonl", drive_of())


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "drives"
    with ArchiveWriter(
        path, labels=["calm", "phone"], source="test", licence="none", source_layout="mediapipe33"
    ) as writer:
        writer.append("first", skeletons(), 30.0, label=1)
        writer.append("second", skeletons(90), 30.0, frame_labels=[0] * 30 + [1] * 45 + [-1] * 15)
    return str(path)
