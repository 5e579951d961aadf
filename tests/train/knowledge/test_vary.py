"""Variations of recordings: what they keep, what they change, and that no probe sees one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from edge_c2vl.skeletons.skeleton import Array, mirror
from tests.support.bodies import arm, clip, pose, turned
from train.commands.knowledge import knowledge
from train.knowledge.kinematics import captions
from train.knowledge.vary import ARMS, SHOULDERS, vary, with_arms

FPS = 30.0
UP = ((0.30, 1.62, 0.05), (0.28, 1.95, 0.05))  # elbow and hand


def raising(side: str, degrees: float = 0.0, size: float = 1.0) -> Array:
    """Somebody of that size, turned by so many degrees, who raises a hand from the hip to above the head."""
    moments = [(0.0, pose()), (0.5, pose()), (1.5, pose(**arm(side, *UP)))]
    sequence, _ = clip(*((second, turned(body, degrees)) for second, body in moments), fps=FPS)
    sequence[..., :3] *= size
    return sequence


def test_arms_of_another_hang_on_the_own_shoulders_and_are_turned_and_scaled() -> None:
    left, right = raising("left"), raising("right", degrees=50, size=1.3)
    changed = with_arms(left, right)
    np.testing.assert_allclose(changed, raising("right"), atol=1e-4)


def test_a_joint_that_was_not_seen_stays_missing() -> None:
    left, right = raising("left"), raising("right")
    right[5, ARMS[1][1]] = 0
    left[7, SHOULDERS[0]] = 0
    changed = with_arms(left, right)
    assert (changed[5, ARMS[1][1]] == 0).all()
    assert (changed[7, [*ARMS[0], *ARMS[1]]] == 0).all()
    assert np.isfinite(changed).all()


def test_rules_say_of_a_variation_what_it_does() -> None:
    said = {kind: captions(sequence, np.arange(46) / FPS)[0][0] for kind, sequence in (
        ("left", raising("left")), ("mirror", mirror(raising("left"))), ("reverse", raising("left")[::-1]),
    )}  # fmt: skip
    assert "the left hand rises" in said["left"].lower()
    assert "the right hand rises" in said["mirror"].lower()
    assert "the left hand" in said["reverse"].lower()
    assert "rises" not in said["reverse"]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "archive"
    with ArchiveWriter(path, labels=["left", "right"], source="made up", licence="none", source_layout="ntu25") as to:
        for number in range(6):
            side = number % 2
            to.append(f"clip{number}", raising(("left", "right")[side]), FPS, side, f"s{number}", f"v{number % 2}",
                      xview="test" if number == 5 else "train", share=number / 8)  # fmt: skip
    return path


def test_only_train_is_varied_and_no_probe_sees_a_variation(archive: Path, tmp_path: Path) -> None:
    clips, made = vary(Archive.open(archive), tmp_path / "varied", "xview", arms=2)
    varied = Archive.open(tmp_path / "varied")
    table = varied.clips.set_index("name")
    assert (clips, made, len(varied)) == (6, 5 * 5, 31)
    assert (table["pretrain"] == "train").sum() == 30
    assert table.loc["clip5", "pretrain"] == ""
    assert not any(name.startswith("clip5+") for name in table.index)
    variations = table[table.index.str.contains("+", regex=False)]
    assert (variations["label"] == -1).all()
    assert (variations["xview"] == "").all()
    assert table.loc["clip3+mirror", "share"] == 3 / 8
    assert (table.loc[[f"clip{n}" for n in range(6)], "xview"] == ["train"] * 5 + ["test"]).all()
    row = table.index.get_loc("clip0+reverse")
    np.testing.assert_allclose(varied.sequence(row), varied.sequence(table.index.get_loc("clip0"))[::-1])


def test_the_same_seed_gives_the_same_arms(archive: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        vary(Archive.open(archive), tmp_path / name, seed=seed)
    a, b, c = (np.load(tmp_path / name / "frames.npy") for name in "abc")
    np.testing.assert_array_equal(a, b)
    assert a.shape == c.shape


def test_a_wrong_column_is_named(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--split xsub: .* has no such column"):
        vary(Archive.open(archive), tmp_path / "varied", "xsub")
    assert not (tmp_path / "varied").exists()


def test_the_command(archive: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        knowledge, ["vary", str(archive), str(tmp_path / "v"), "--split", "xview", "--arms", "0"]
    )
    assert result.exit_code == 0, result.output
    assert result.output.endswith("6 clips and 15 variations of them\n")
