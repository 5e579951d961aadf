"""Wrong knowledge on purpose: who gets whose."""

from __future__ import annotations

import numpy as np
import pytest

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from train.knowledge.mistakes import exchanged
from train.knowledge.vary import vary

LABELS = ["sit", "stand", "wave"]
MIRRORED = {"": "mirror", "mirror": "", "reverse": "mirror-reverse", "mirror-reverse": "reverse"}


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Two people who sit, stand and wave, twice each, in this order; and three variations of each."""
    folder = tmp_path_factory.mktemp("mistakes")
    random = np.random.default_rng(0)
    with ArchiveWriter(
        folder / "archive", labels=LABELS, source="made up", licence="none", source_layout="ntu25", dimensions=3
    ) as writer:
        for person in ("a", "b"):
            for number in range(6):
                frames = np.ones((12, 25, 4), np.float32)
                frames[..., :3] = random.normal(size=(25, 3)) + random.normal(0, 0.05, (12, 25, 3))
                writer.append(f"{person}{number}", frames, 10.0, number // 2, person, "camera")
    vary(Archive.open(folder / "archive"), folder / "varied", arms=0)
    return Archive.open(folder / "varied")


def test_knowledge_is_exchanged_between_recordings() -> None:
    clips = np.repeat(np.arange(50), 3)
    for share in (0.0, 0.2, 1.0):
        rows = exchanged(clips, share, seed=0)
        moved = clips[rows] != clips
        assert moved.sum() == 3 * round(share * 50)
        assert sorted(rows) == list(range(150))  # nobody's knowledge is lost or doubled
        assert (rows % 3 == np.arange(150) % 3).all()  # crops get the crop of their number
    assert exchanged(clips, 0.4, 0).tolist() == exchanged(clips, 0.4, 0).tolist()
    assert exchanged(clips, 0.4, 0).tolist() != exchanged(clips, 0.4, 1).tolist()
    uneven = np.array([0, 0, 0, 1])
    assert exchanged(uneven, 1.0, 0).tolist() == [3, 3, 3, 0]


@pytest.mark.parametrize(("share", "recordings"), [(0.01, 20), (0.05, 20), (1.0, 1)])
def test_an_exchange_that_would_change_nothing_is_told(share: float, recordings: int) -> None:
    with pytest.raises(UsageError, match=f"--exchange .* of {recordings} recordings"):
        exchanged(np.arange(recordings), share, 0)


def names(archive: Archive) -> list[str]:
    return archive.clips["name"].astype(str).tolist()


def test_a_mirrored_side_is_that_of_the_mirror_image(varied: Archive) -> None:
    clips = np.repeat(np.arange(len(varied)), 2)
    rows = exchanged(clips, 1.0, 0, "side", varied)
    pairs = {name: names(varied)[clips[rows[2 * row]]] for row, name in enumerate(names(varied))}
    assert pairs["a0"] == "a0+mirror"
    assert pairs["a0+mirror"] == "a0"
    assert pairs["b3+reverse"] == "b3+mirror-reverse"
    assert pairs["b3+mirror-reverse"] == "b3+reverse"


def test_the_previous_activity_is_the_same_persons_last_other_one(varied: Archive) -> None:
    rows = exchanged(np.arange(len(varied)), 1.0, 0, "previous", varied)
    pairs = {name: names(varied)[rows[row]] for row, name in enumerate(names(varied))}
    assert (pairs["a2"], pairs["a3"], pairs["a4"]) == ("a1", "a1", "a3")
    assert pairs["b0"] == "b5"  # before the first there is the last
    assert pairs["b2+mirror"] == "b1+mirror"


def test_the_nearest_class_is_told_by_its_knowledge(varied: Archive) -> None:
    kinds = np.array([names(varied)[row][1] for row in range(len(varied))]).astype(int) // 2
    centres = np.array([[1.0, 0.0], [0.9, 0.4], [-1.0, 0.2]], np.float32)
    rows = exchanged(np.arange(len(varied)), 1.0, 0, "class", varied, centres[kinds][:, None])
    assert (kinds[rows[kinds == 0]] == 1).all()
    assert (kinds[rows[kinds == 1]] == 0).all()
    assert (kinds[rows[kinds == 2]] != 2).all()
    half = exchanged(np.arange(len(varied)), 0.5, 0, "class", varied, centres[kinds][:, None])
    assert (half != np.arange(len(varied))).sum() == len(varied) // 2


@pytest.mark.parametrize("kind", ["any", "class", "previous", "side"])
def test_a_recordings_variations_go_with_it(varied: Archive, kind: str) -> None:
    told = names(varied)
    labels = np.array([int(name[1]) // 2 for name in told])
    clips = np.repeat(np.arange(len(varied)), 2)
    words = np.eye(3, dtype=np.float32)[labels][clips][:, None]
    rows = clips[exchanged(clips, 0.5, 0, kind, varied, words)][::2]
    givers: dict[str, set[str]] = {}
    for name, row in zip(told, rows.tolist(), strict=True):
        recording, _, variation = name.partition("+")
        given, _, its = told[row].partition("+")
        givers.setdefault(recording, set()).add(given)
        assert its == (variation if kind != "side" or name == told[row] else MIRRORED[variation])
    assert all(len(given) == 1 for given in givers.values())
    changed = {name.partition("+")[0] for name, row in zip(told, rows, strict=True) if name != told[row]}
    assert len(changed) == 6  # of 12 recordings, with all of their variations
    assert (rows != np.arange(len(varied))).sum() == 4 * 6


def test_each_variation_can_be_exchanged_by_itself(varied: Archive) -> None:
    rows = exchanged(np.arange(len(varied)), 0.5, 0, "any", varied, each_variation=True)
    moved = rows != np.arange(len(varied))
    assert moved.sum() == len(varied) // 2
    recordings = np.array([name.partition("+")[0] for name in names(varied)])
    shares = [moved[recordings == name].mean() for name in np.unique(recordings)]
    assert any(0 < share < 1 for share in shares)
    assert rows.tolist() == exchanged(np.arange(len(varied)), 0.5, 0).tolist()  # as of an archive without variations


def test_a_variation_that_the_other_lacks_gets_the_recordings_own(varied: Archive) -> None:
    told = names(varied)
    learnt = np.array([row for row, name in enumerate(told) if "+" not in name or name.startswith("a")])
    rows = exchanged(learnt, 1.0, 0, "any", varied)
    pairs = {told[learnt[row]]: told[learnt[given]] for row, given in enumerate(rows)}
    assert all(
        pairs[f"{name}+mirror"] in (f"{pairs[name]}+mirror", pairs[name]) for name in pairs if name in "a0a1a2a3"
    )
    assert {pairs[name][0] for name in pairs if "+" in name} == {"a", "b"}


def test_mistakes_of_no_recording_are_told(varied: Archive) -> None:
    with pytest.raises(UsageError, match="--exchange 0.03 is 0 of 12 recordings"):
        exchanged(np.arange(len(varied)), 0.03, 0, "side", varied)


def test_where_nobody_has_a_mirror_image_it_is_told(varied: Archive) -> None:
    recorded = np.flatnonzero(varied.clips["variation_of"].astype(str) == "")
    with pytest.raises(UsageError, match="only 0 of 12 recordings"):
        exchanged(recorded, 0.4, 0, "side", varied)
    with pytest.raises(UsageError, match="--mistakes"):
        exchanged(recorded, 0.4, 0, "unheard of", varied)
