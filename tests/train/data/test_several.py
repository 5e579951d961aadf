"""Several archives as one data set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edge_c2vl.errors import UsageError  # noqa: E402
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter  # noqa: E402
from edge_c2vl.skeletons.skeleton import NTU25  # noqa: E402
from edge_c2vl.skeletons.splits import Split  # noqa: E402
from edge_c2vl.skeletons.windows import clip_of  # noqa: E402
from train.data import several  # noqa: E402
from train.data.clips import ClipStore  # noqa: E402
from train.data.several import Portion, Several, knowledge_of_all, spec_of_all, split_names, vary_each  # noqa: E402
from train.evaluation.probe import _seen_as  # noqa: E402
from train.knowledge.learnt import banks_of_each, portion_of  # noqa: E402
from train.settings.pretraining import PretrainSettings  # noqa: E402
from train.settings.training import AugmentSettings  # noqa: E402

SETTINGS = PretrainSettings(method="slim", frames=8, facing=True, upright=True)
LACKS = ("left_foot", "right_foot")


def write(path: Path, clips: int, dimensions: int, lacking: tuple[str, ...] = ()) -> Archive:
    random = np.random.default_rng(clips)
    with ArchiveWriter(
        path, labels=["a"], source=path.name, licence="none", source_layout="ntu25", dimensions=dimensions
    ) as writer:
        for number in range(clips):
            frames = np.ones((12, 25, 4), np.float32)
            frames[..., :3] = random.normal(size=(25, 3)) + random.normal(0, 0.05, (12, 25, 3))
            frames[..., 2] *= dimensions == 3
            frames[:, [NTU25.index(name) for name in lacking]] = 0
            part = "train" if number % 2 else "test"
            writer.append(f"c{number}", frames, 10.0 * (1 + clips % 2), 0, half=part)
    return Archive.open(path)


def portion(archive: Archive, split: str, seed: int = 0) -> Portion:
    return portion_of(archive, Split.of(archive, split).rows("train"), [], SETTINGS, seed, 0, several=True)


@pytest.fixture
def portions(tmp_path: Path) -> list[Portion]:
    solid, flat = write(tmp_path / "solid", 4, 3), write(tmp_path / "flat", 9, 2, LACKS)
    return [portion(solid, ""), portion(flat, "half")]


@pytest.fixture
def every(portions: list[Portion], tmp_path: Path) -> Several:
    return Several([ClipStore.open(part.archive, part.windows, part.spec, tmp_path / "cache") for part in portions])


def test_each_archive_is_cut_and_turned_as_it_is(portions: list[Portion]) -> None:
    solid, flat = (portion.spec for portion in portions)
    assert (solid.dimensions, solid.facing, solid.upright) == (3, True, True)
    assert (flat.dimensions, flat.facing, flat.upright) == (2, False, False)
    assert set(solid.joints) - set(flat.joints) == set(LACKS)
    assert len(portions[1].windows) == 4  # the train half
    assert spec_of_all(portions[::-1]).joints == NTU25.joints
    both = spec_of_all(portions[::-1])
    assert (both.dimensions, both.facing, both.upright) == (3, True, True)  # whichever comes first
    assert spec_of_all(portions[1:]).dimensions == 2


def test_rows_are_those_of_the_stores(every: Several) -> None:
    assert len(every) == 8
    assert every.portion.tolist() == [0] * 4 + [1] * 4
    rows = np.array([6, 1, 5, 0])
    clips = every.read(rows)
    for clip, row in zip(clips, rows.tolist(), strict=True):
        store = every.stores[row // 4]
        np.testing.assert_array_equal(clip, store.read(np.array([row % 4]))[0])
    assert (clips[0][:, :, [NTU25.index(name) for name in LACKS]] == 0).all()
    assert len(set(every.windows.clip.tolist())) == 8
    assert (every.windows.label == -1).all()


def test_archives_are_drawn_equally_often(every: Several) -> None:
    rows = np.array([0, 4, 5, 6, 7])
    weights = every.weights(rows)
    np.testing.assert_allclose(weights, [0.5, 0.125, 0.125, 0.125, 0.125])
    assert every.clips_an_epoch(rows) == 2


def test_a_large_archive_gives_as_many_clips_as_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several, "MOST_CLIPS", 3)
    archive = write(tmp_path / "large", 10, 2)
    chosen = [portion(archive, "", seed).windows.clip.tolist() for seed in (0, 0, 1)]
    assert len(chosen[0]) == 3
    assert chosen[0] == chosen[1] != chosen[2]


def test_pictures_stay_flat_and_bodies_are_turned(every: Several) -> None:
    clips = torch.from_numpy(every.read(np.arange(8)))
    torch.manual_seed(0)
    varied = vary_each(AugmentSettings(view=45, jitter=0.01))(clips)
    assert (varied[4:, 2] == 0).all()
    assert (varied[4:, :2] != clips[4:, :2]).any()
    turned = varied[:4, 2] - clips[:4, 2]
    assert turned.abs().amax(dim=(1, 2)).min() > 0.05


def test_a_pictures_archive_is_taken_by_an_encoder_of_bodies(portions: list[Portion], tmp_path: Path) -> None:
    """As a probe does, with the specification that is kept with the encoder."""
    solid, flat = portions
    store = ClipStore.open(flat.archive, flat.windows, solid.spec, tmp_path / "cache")
    assert store.spec.dimensions == 2
    np.testing.assert_array_equal(
        store.read(np.arange(4)),
        ClipStore.open(flat.archive, flat.windows, flat.spec, tmp_path / "cache").read(np.arange(4)),
    )


def test_each_archive_has_knowledge_of_its_own(portions: list[Portion]) -> None:
    told = [torch.ones(4, 1, size) * size for size in (3, 2)]
    known = [replace(part, knowledge={"language": own}) for part, own in zip(portions, told, strict=True)]
    found = knowledge_of_all(known)
    assert {kind: tuple(rows.shape) for kind, rows in found.items()} == {
        "language": (8, 1, 3),
        "language-1": (8, 1, 2),
    }
    assert found["language"][:, 0, 0].tolist() == [3] * 4 + [0] * 4
    assert found["language-1"][:, 0, 0].tolist() == [0] * 4 + [2] * 4
    assert knowledge_of_all(known[1:])["language"].tolist() == told[1].tolist()
    with pytest.raises(UsageError, match="2 archives need --bank as many times"):
        banks_of_each(2, [object()], "c2vl")
    with pytest.raises(UsageError, match="name a bank of each archive"):
        banks_of_each(2, [], "c2vl")


def test_an_encoder_of_pictures_is_probed_on_bodies_as_seen_from_the_front(portions: list[Portion]) -> None:
    solid, flat = portions
    spec = _seen_as(flat.spec, solid.archive)
    assert (spec.dimensions, spec.facing, spec.upright) == (2, True, True)
    assert _seen_as(flat.spec, flat.archive) == flat.spec
    shoulders = [NTU25.index(f"{side}_shoulder") for side in ("left", "right")]
    deep = clip_of(solid.archive, 0, 0, 1, replace(spec, dimensions=3)).data
    clip = clip_of(solid.archive, 0, 0, 1, spec).data
    assert (clip[2] == 0).all()
    across = [np.median(found[0, :, shoulders[1]] - found[0, :, shoulders[0]]) for found in (clip, deep)]
    assert across[0] > 0  # the right one to the right, as in depth
    # The picture of the turned body, but for its unit of length; the turn is told from frames as they were recorded.
    np.testing.assert_allclose(clip[:2] / across[0], deep[:2] / across[1], atol=0.02)


def test_splits_are_named_one_by_one() -> None:
    assert split_names("xview", 1) == ["xview"]
    assert split_names("xview", 3) == ["xview", "", ""]
    assert split_names(",subject:0/5", 3) == ["", "subject:0/5", ""]
    with pytest.raises(UsageError, match="3 splits for 2 archives"):
        split_names("a,b,c", 2)
