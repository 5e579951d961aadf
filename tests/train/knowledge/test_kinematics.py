"""Kinematic captions: hand-worked clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_c2vl.skeletons.skeleton import NTU25
from tests.support.bodies import STANDING, UPPER, arm, as_picture, bent, clip, moved, pose, turned
from train.knowledge.document import BEGIN, END, with_vocabulary
from train.knowledge.kinematics import captions, crop_spans, describe, whole
from train.knowledge.posecodes import SEGMENT_NAMES, SPAN_NAMES, Posecodes

ALL = (True,) * 4


def held(codes: Posecodes, span: int = 0) -> dict[str, tuple[bool, ...]]:
    """What holds: predicate -> in which quarters; () for those of the whole span."""
    found = {
        name: tuple(row.tolist()) for name, row in zip(SEGMENT_NAMES, codes.segments[span], strict=True) if row.any()
    }
    return found | {name: () for name, bit in zip(SPAN_NAMES, codes.spans[span], strict=True) if bit}


def told(*moments, **options) -> dict[str, tuple[bool, ...]]:
    return held(describe(*clip(*moments), **options))


EAR = arm("right", (0.34, 1.22, 0.12), (0.12, 1.58, 0.06))
LAP = arm("left", (0.24, 1.12, 0.05), (0.15, 1.00, 0.30))


def test_standing_still():
    facts = told((0, pose()), (2, pose()))
    for name in (
        "the right hand hangs down at the thigh",
        "the left hand hangs down at the thigh",
        "the right hand keeps still",
        "the trunk is upright",
        "the right knee is straight",
        "the body stays on its spot",
        "the hips are high, the legs stretched",
        "the hands are at one height",
    ):
        assert facts[name] == ALL, name
    assert {"the upper body keeps its height", "the body ends where it began", "the body faces one way"} <= facts.keys()
    moving = {"rises", "sinks", "bends", "stretches", "turns", "drops", "shoots", "comes", "goes"}
    assert not [name for name in facts if moving & set(name.split())]


def test_right_hand_to_the_ear_and_stays():
    up = pose(**EAR)
    facts = told((0, pose()), (1, pose()), (2, up), (5, up))
    # Quarters of 1.25 s: the hand starts at 1 s, in the first, and arrives at 2 s, in the second.
    assert facts["the right hand shoots up"] == (False, True, False, False)
    assert facts["the right hand is at the head"][2:] == (True, True)
    assert facts["the right hand is at the height of the face"][2:] == (True, True)
    assert facts["the right forearm points up"][2:] == (True, True)
    assert facts["the left hand hangs down at the thigh"] == ALL
    assert "the right hand stays at the head for long" in facts
    assert "the hands are unlike in use: the right moves, the left hardly" in facts
    assert not any(name.startswith("the left hand") and "head" in name for name in facts if "keeps its" not in name)


def test_both_hands_above_the_head():
    up = pose(**arm("right", (0.25, 1.65, 0), (0.22, 1.95, 0)), **arm("left", (0.25, 1.65, 0), (0.22, 1.95, 0)))
    facts = told((0, pose()), (1, up), (2, up))
    assert facts["the right hand is above the head"] == facts["the left hand is above the head"]
    assert facts["the left hand is above the head"][2:] == (True, True)
    assert "the hands move up and down together" in facts
    (sentence,) = captions(*clip((0, pose()), (1, up), (2, up)))[0]
    assert "both hands are above the head" in sentence.lower()
    assert "left hand" not in sentence


def test_bending_down_and_coming_up():
    down = bent(pose(), 70)
    facts = told((0, pose()), (1, down), (2, pose()))
    # At the first quarter's knots the trunk leans 4 and 27 degrees, at the second's last 65: +23, then +38.
    assert facts["the trunk bends forward"] == (True, False, False, False)
    assert facts["the trunk bends far forward"] == (False, True, False, False)
    assert facts["the trunk is bent far forward"] == (False, True, True, False)
    assert facts["the trunk straightens up far"][3]
    assert {"the trunk bends down and comes up again", "the upper body goes down and comes up again"} <= facts.keys()
    assert facts["the right knee is straight"] == ALL


def sitting() -> dict:
    """Thighs level, hips .42 m lower and .40 m behind the feet's line."""
    upper = tuple(name for name in STANDING if not any(part in name for part in ("knee", "ankle", "foot")))
    return moved(pose(), upper, (0, -0.42, -0.40))


def test_sitting_down():
    facts = told((0, pose()), (0.5, pose()), (1.5, sitting()), (2, sitting()))
    assert facts["the hips sink low"][1] or facts["the hips sink low"][2]
    assert facts["the hips are high, the legs stretched"][0]
    assert facts["the right thigh is level"][3]
    assert facts["the left knee is bent deep"][3]
    assert facts["the right knee bends"].count(True) >= 1
    assert {
        "the hips end lower than before",
        "the upper body ends lower than before",
        "the right knee ends more bent",
    } <= (facts.keys())
    back = told((0, sitting()), (0.5, sitting()), (1.5, pose()), (2, pose()))
    assert "the hips end higher than before" in back
    assert back["the hips rise high"].count(True) >= 1


def test_walking_forward():
    facts = told((0, pose()), (3, moved(pose(), by=(0, 0, 3))))
    assert facts["the body walks forwards"] == ALL
    assert {"the body ends far away", "the body goes a long way"} <= facts.keys()
    assert "the body walks backwards" not in facts
    backwards = told((0, pose()), (3, moved(pose(), by=(0, 0, -3))))
    assert backwards["the body walks backwards"] == ALL


def test_turning_to_the_left():
    steps = [(second, turned(pose(), -angle)) for second, angle in ((0, 0), (0.5, 30), (1, 60), (1.5, 90), (2, 120))]
    facts = told(*steps)
    assert "the body ends turned to the left" in facts
    assert facts["the body turns to the left"].count(True) >= 3
    assert not any("turns to the right" in name or "turned to the right" in name for name in facts)


def test_clapping():
    def hands(x: float) -> dict:
        return pose(
            **arm("right", (0.25, 1.15, 0.15), (x, 1.25, 0.40)), **arm("left", (0.25, 1.15, 0.15), (x, 1.25, 0.40))
        )

    moments = [(second / 2, hands(0.03 if second % 2 else 0.35)) for second in range(7)]
    facts = told(*moments)
    assert "the hands come together and part again and again" in facts
    assert "the hands meet only briefly" in facts
    assert facts["the right hand is at the height of the chest"] == ALL
    assert facts["the right hand is stretched out in front"] == ALL


def test_hand_behind_the_body():
    behind = pose(**arm("left", (0.28, 1.15, -0.18), (0.08, 0.95, -0.25)))
    facts = told((0, behind), (4, behind))
    assert facts["the left hand is behind the body"] == ALL
    assert facts["the left elbow is pulled back behind the trunk"] == ALL
    assert "the left hand stays behind the body for long" in facts
    assert "the right hand is behind the body" not in facts


def test_waving():
    def hand(y: float) -> dict:
        return pose(**arm("right", (0.35, 1.35, 0.1), (0.45, y, 0.2)))

    facts = told(*[(second / 2, hand(1.75 if second % 2 else 1.40)) for second in range(9)])
    assert "the right hand goes up and down again and again" in facts
    assert facts["the left hand keeps still"] == ALL


def driver(**joints) -> dict:
    return pose(**LAP, **EAR) | joints


def test_driver_on_the_phone_seen_from_the_front():
    """Upper body only, in pixels: right hand at the ear, left hand on the wheel, head turned to the left and down."""
    away = driver(head=(-0.13, 1.58, 0.03))
    sequence, stamps = clip((0, driver()), (1, driver()), (1.5, away), (4, away), joints=UPPER)
    codes = describe(as_picture(sequence), stamps, dimensions=2)
    facts = held(codes)
    assert facts["the right hand is at the head"] == ALL
    assert "the right hand stays at the head for long" in facts
    assert facts["the head turns to the left"].count(True) == 1
    assert facts["the head is turned to the left"][2:] == (True, True)
    assert facts["the left hand is at the height of the belly"] == ALL
    assert facts["the legs are out of sight"] == ALL
    assert not any("knee" in name or "hips" in name or "walk" in name for name in facts)
    (sentence,) = captions(as_picture(sequence), stamps, dimensions=2)[0]
    assert "the left hand is at the height of a steering wheel" in sentence.lower()
    assert "the right hand stays at the head for long" in sentence.lower()
    assert "belly" not in sentence


def test_driver_whose_hand_goes_out_of_sight():
    sequence, stamps = clip((0, driver()), (4, driver()), joints=UPPER)
    for joint in ("left_elbow", "left_wrist", "left_hand"):
        sequence[stamps >= 2, NTU25.index(joint)] = 0
    facts = held(describe(as_picture(sequence), stamps, dimensions=2))
    assert facts["the left hand is out of sight"] == (False, False, True, True)
    assert facts["the left hand is at the height of the belly"] == (True, True, False, False)
    assert facts["the right hand is at the head"] == ALL


def test_who_sits_in_a_picture_does_not_show_the_floor():
    """Feet stretched towards the camera are drawn near the hips; a hand on the lap is then not "by the floor"."""
    feet = {"right_ankle": (0.1, 0.75, 0), "left_ankle": (-0.1, 0.75, 0), "right_foot": (0.1, 0.7, 0)}
    sequence, stamps = clip((0, driver(**feet)), (2, driver(**feet)))
    facts = held(describe(as_picture(sequence), stamps, dimensions=2))
    assert not any("floor" in name or "height of the knee" in name for name in facts)
    upper = tuple(name for name in STANDING if "ankle" not in name and "foot" not in name)
    crouched = moved(pose(), upper, (0, -0.5, 0))  # the hand comes to .28 m, half a shoulder breadth over the ankles
    sequence, stamps = clip((0, pose()), (2.4, pose()), (2.6, crouched), (4, crouched))
    assert held(describe(as_picture(sequence), stamps, dimensions=2))["the right hand is down by the floor"][3]


def test_the_hand_is_where_the_forearm_points_when_only_the_wrist_is_seen():
    """OpenPose's BODY-25 ends at the wrist; a wrist under the ear belongs to a hand at the ear."""
    sequence, stamps = clip((0, driver()), (2, driver()), joints=UPPER)
    sequence[:, NTU25.index("right_hand")] = 0
    assert held(describe(as_picture(sequence), stamps, dimensions=2))["the right hand is at the head"] == ALL


def test_at_least_sixty_different_predicates():
    assert len(set(SEGMENT_NAMES + SPAN_NAMES)) == len(SEGMENT_NAMES) + len(SPAN_NAMES) >= 60


def test_nothing_seen():
    codes = describe(np.zeros((5, 25, 4)), np.arange(5) / 30)
    assert set(held(codes)) == {
        "the right hand is out of sight",
        "the left hand is out of sight",
        "the head is out of sight",
        "the legs are out of sight",
        "the movement lasts less than a second",
    }
    assert captions(np.zeros((5, 25, 4)), np.arange(5) / 30)[0][0].startswith(
        "Both hands are out of sight; the head is"
    )


def test_one_frame_has_a_posture_and_no_movement():
    sequence, stamps = clip((0, bent(pose(), 40)))
    facts = held(describe(sequence, stamps))
    assert facts["the trunk is bent forward"] == ALL
    assert facts["the right hand keeps still"] == ALL
    assert not any(name.split()[-1] in ("rises", "sinks", "bends", "stretches") for name in facts)


def test_parts_speak_of_their_part_only():
    ((whole_body, *parts),) = captions(*clip((0, pose()), (1, pose(**EAR)), (2, pose(**EAR))), parts=True)
    assert len(parts) == 6
    right, left, hands, trunk, legs, place = (text.lower() for text in parts)
    assert "right hand" in right
    assert "left hand" not in right
    assert "left hand" in left
    assert "hands" in hands
    assert "trunk" in trunk
    assert "knee" in legs
    assert "body" in place
    assert whole_body not in parts


def test_a_caption_has_at_most_so_many_facts():
    sequence, stamps = clip((0, pose()), (1, bent(pose(**EAR), 50)), (2, sitting()))
    for most in (1, 5, 40):
        ((caption,),) = captions(sequence, stamps, most=most)
        # Said twice at most: a fact that begins again in a later quarter.
        clauses = {clause.strip(" .") for clause in caption.replace(". ", "; ").split(";")}
        assert 1 <= len(clauses) <= 2 * most


def test_captions_of_crops_tell_of_the_crop():
    up = pose(**EAR)
    sequence, stamps = clip((0, pose()), (2, pose()), (3, up), (6, up))
    still, rising, at_ear = describe(sequence, stamps, [[0, 1.9], [1.5, 3.0], [3.5, 6]]).segments
    names = dict(zip(SEGMENT_NAMES, range(len(SEGMENT_NAMES)), strict=True))
    assert not still[names["the right hand is at the head"]].any()
    assert still[names["the right hand hangs down at the thigh"]].all()
    assert rising[names["the right hand rises"]].any()  # .8 m in a second are .7 shoulder breadths in a quarter
    assert at_ear[names["the right hand is at the head"]].all()
    said = captions(sequence, stamps, [[0, 1.9], [1.5, 3.0], [3.5, 6]])
    assert len({caption for (caption,) in said}) == 3


def test_crop_spans_are_the_same_for_the_same_name():
    first = crop_spans("a", 1.0, 5.0, 50)
    np.testing.assert_array_equal(first, crop_spans("a", 1.0, 5.0, 50))
    assert not np.array_equal(first, crop_spans("b", 1.0, 5.0, 50))
    length = first[:, 1] - first[:, 0]
    assert (first[:, 0] >= 1.0).all()
    assert (first[:, 1] <= 5.0 + 1e-9).all()
    assert length.min() >= 1.6 - 1e-9
    assert length.max() <= 4.0


def test_the_vocabulary_in_the_docs_is_the_code_s():
    page = (Path(__file__).parents[3] / "docs" / "vocabulary.md").read_text("utf-8")
    assert with_vocabulary(page) == page, "run: python -m train.knowledge.document docs/vocabulary.md"
    with pytest.raises(ValueError, match="no lines"):
        with_vocabulary("a page")
    assert with_vocabulary(f"before {BEGIN} old {END} after").startswith("before ")


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="ntu25"):
        describe(np.zeros((5, 20, 4)), np.arange(5))
    with pytest.raises(ValueError, match="timestamps"):
        describe(np.zeros((5, 25, 4)), np.arange(4), whole([0, 1]))
