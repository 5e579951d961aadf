"""A small archive with four movements that can be told apart, and a small encoder that has learnt to."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.support.movements import CAMERAS, LABELS, SPEC, body

pytest.importorskip("torch")

from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from edge_c2vl.skeletons.windows import clip_of, whole_clips


@pytest.fixture(scope="session")
def archive_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six subjects, two cameras; subjects 0 to 3 train, 4 and 5 test. `whose` is a second split."""
    path = tmp_path_factory.mktemp("data") / "movements"
    random = np.random.default_rng(0)
    with ArchiveWriter(path, labels=LABELS, source="made up", licence="CC0", source_layout="ntu25") as writer:
        for subject in range(6):
            for label in range(len(LABELS)):
                for take in range(4):
                    moment = f"s{subject}-a{label}-t{take}"
                    for camera in CAMERAS:
                        writer.append(
                            f"{moment}-{camera}",
                            body(random, label),
                            24.0,
                            label,
                            subject=f"s{subject}",
                            camera=camera,
                            group=moment,
                            xsub="train" if subject < 4 else "test",
                        )
    return path


@pytest.fixture(scope="session")
def archive(archive_path: Path) -> Archive:
    return Archive.open(archive_path)


@pytest.fixture(scope="session")
def trained_bundle(tmp_path_factory: pytest.TempPathFactory, archive: Archive) -> Path:
    """The bundle of a three-block encoder after 60 steps; more than 95 % of the test subjects' clips come out right."""
    return _trained(tmp_path_factory.mktemp("bundles") / "movements", archive, width=8, blocks=3)


@pytest.fixture(scope="session")
def joined_bundle(tmp_path_factory: pytest.TempPathFactory, archive: Archive) -> Path:
    """The same, joints joined after the first block."""
    return _trained(
        tmp_path_factory.mktemp("joined") / "movements", archive, width=8, blocks=4, graph_blocks=1, joined=32
    )


def _trained(path: Path, archive: Archive, **form: int) -> Path:
    import torch
    from torch.nn import functional as F

    from train.model.checkpoint import About
    from train.model.encoder import Encoder
    from train.model.export import export_bundle
    from train.settings.training import EncoderSettings

    windows = whole_clips(archive)
    clips = np.stack(
        [
            clip_of(archive, int(windows.clip[i]), windows.start_s[i], windows.end_s[i], SPEC).data
            for i in range(len(windows))
        ]
    )
    rows = np.flatnonzero(archive.clips["xsub"] == "train")
    torch.manual_seed(0)
    settings = EncoderSettings(classes=len(LABELS), **form)  # type: ignore[arg-type]
    encoder = Encoder(settings)
    optimiser = torch.optim.Adam(encoder.parameters(), 0.01)
    random = np.random.default_rng(0)
    for _ in range(60):
        chosen = random.choice(rows, 32, replace=False)
        loss = F.cross_entropy(encoder(torch.from_numpy(clips[chosen]))[0], torch.from_numpy(windows.label[chosen]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    about = About(settings, SPEC, LABELS, "made-up movements", ["CC0"])
    export_bundle(encoder.eval(), about, path, clips[:16], name="movements", distraction=[])
    return path


@pytest.fixture
def bundle_path(trained_bundle: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(trained_bundle, tmp_path / "movements"))
