"""The posecodes: every measure's bands, and the words for each. A band with words is one predicate.

Kinds, over a span cut into four segments:
    state    the measure's mean in a segment lies in the band
    change   the measure's change over a segment lies in the band
    course   how the measure goes over the whole span: up, down, up and back, down and back, to and fro, steady
    held     how long, at the longest, the measure stays between two edges: under 1 s, 1 to 3 s, over 3 s

In words, {is}, {s} and {es} follow the subject's number ("the right hand is", "both hands are"). Lengths are in
shoulder breadths, angles in degrees, speeds in shoulder breadths a second. Weight: how much the fact says; 0 is what a
body at rest does anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

PARTS = ("right arm", "left arm", "hands", "trunk and head", "legs", "place")
HELD_EDGES_S = (1.0, 3.0)


@dataclass(frozen=True)
class Family:
    """One measure of measures.py or motion.py, cut at `edges` into len(edges) + 1 bands, lowest first."""

    kind: str
    part: str
    subject: str
    measure: str
    edges: tuple[float, ...]
    words: tuple[str | None, ...]
    weights: tuple[float, ...]


def _family(kind: str, part: str, subject: str, measure: str, edges: tuple[float, ...], *bands: str) -> list[Family]:
    """Bands are written "weight words" or "-" for one that says nothing. "{side}" makes a family for each side."""
    words = tuple(None if band == "-" else band.split(" ", 1)[1] for band in bands)
    weights = tuple(0.0 if band == "-" else float(band.split(" ", 1)[0]) for band in bands)
    sides = (("right", "left"), ("left", "right")) if "{side}" in measure else (("", ""),)
    return [
        Family(kind, part.replace("{side}", side), subject.replace("{side}", side), measure.replace("{side}", side),
               edges, tuple(word and word.replace("{other}", other) for word in words), weights)
        for side, other in sides
    ]  # fmt: skip


_HAND = ("{side} arm", "the {side} hand")
_ELBOW = ("{side} arm", "the {side} elbow")
_ARM = ("{side} arm", "the {side} arm")
_KNEE = ("legs", "the {side} knee")
_HANDS = ("hands", "the hands")
_TRUNK = ("trunk and head", "the trunk")
_HEAD = ("trunk and head", "the head")
_BODY = ("place", "the body")

STATES = [
    *_family("state", *_HAND, "{side}_hand_level", (-1.35, -1.05, -0.7, -0.25, 0.2, 0.75),
             "0 hang{s} down at the thigh", "0.5 {is} at the height of the hip", "1 {is} at the height of the belly",
             "1.5 {is} at the height of the chest", "2 {is} at the height of the shoulder",
             "2.5 {is} at the height of the face", "3 {is} above the head"),
    *_family("state", *_HAND, "{side}_hand_floor", (0.55, 1.2),
             "3 {is} down by the floor", "2 {is} down at the height of the knee", "-"),
    *_family("state", *_HAND, "{side}_hand_side", (-0.75, -0.35, 0.0, 0.45, 0.9),
             "2 {is} reached far across the body", "1 {is} in front of the other half of the body",
             "0.5 {is} before the middle of the body", "-", "1 {is} out to the side",
             "2 {is} spread far out to the side"),
    *_family("state", *_HAND, "{side}_hand_front", (-0.3, 0.3, 0.8),
             "2.5 {is} behind the body", "0 {is} beside the body", "1 {is} in front of the body",
             "2 {is} stretched out in front"),
    *_family("state", *_HAND, "{side}_hand_head", (0.55, 0.9), "3 {is} at the head", "2 {is} near the head", "-"),
    *_family("state", *_HAND, "{side}_hand_shoulder", (0.6,), "2.5 {is} at the {other} shoulder", "-"),
    *_family("state", *_HAND, "{side}_hand_own_shoulder", (0.5, 0.8),
             "2 {is} folded up at its own shoulder", "1 {is} close to its own shoulder", "-"),
    *_family("state", *_HAND, "{side}_hand_chest", (0.55, 0.8),
             "2 {is} held against the trunk", "1 {is} close before the trunk", "-"),
    *_family("state", *_HAND, "{side}_hand_hip", (0.5,), "1 {is} on the hip", "-"),
    *_family("state", *_HAND, "{side}_hand_other_hip", (0.55,), "1.5 {is} at the {other} hip", "-"),
    *_family("state", *_HAND, "{side}_hand_knee", (0.5,), "1.5 {is} on the knee", "-"),
    *_family("state", *_HAND, "{side}_hand_foot", (0.8,), "2.5 {is} by the foot", "-"),
    *_family("state", *_HAND, "{side}_hand_elbow", (0.45, 0.7),
             "2.5 grip{s} the {other} arm", "1.5 {is} near the {other} elbow", "-"),
    *_family("state", *_ELBOW, "{side}_elbow_angle", (60, 110, 150),
             "2 {is} folded tight", "1 {is} bent", "0.5 {is} slightly bent", "0 {is} straight"),
    *_family("state", *_ARM, "{side}_arm_raise", (20, 45, 80, 120),
             "0 hang{s} down", "-", "1 {is} lifted away from the trunk", "2 {is} raised to the shoulder's height",
             "3 {is} raised high"),
    *_family("state", *_ELBOW, "{side}_elbow_front", (-0.3, 0.2, 0.45),
             "2 {is} pulled back behind the trunk", "-", "0.5 {is} before the trunk", "1.5 point{s} forward"),
    *_family("state", *_ELBOW, "{side}_elbow_side", (-0.15, 0.4),
             "1 {is} pressed across the trunk", "-", "1.5 point{s} out to the side"),
    *_family("state", "{side} arm", "the {side} forearm", "{side}_forearm_rise", (-45, -15, 30),
             "0 point{s} down", "0.5 slope{s} down", "1 {is} level", "1.5 point{s} up"),
    *_family("state", *_HAND, "{side}_hand_speed", (0.4, 1.2, 2.5, 5.0),
             "0 keep{s} still", "-", "1 move{s}", "1.5 move{s} fast", "2.5 move{s} very fast"),
    *_family("state", *_HANDS, "hands_apart", (0.35, 0.7, 1.6, 1.9),
             "2.5 are together", "1.5 are close to each other", "-", "1 are far apart", "2 are spread wide apart"),
    *_family("state", *_HANDS, "hands_level", (-1.2, -0.5, -0.2, 0.2, 0.5, 1.2),
             "2.5 are at unlike heights, the left far higher", "1.5 are at unlike heights, the left higher", "-",
             "0.5 are at one height", "-", "1.5 are at unlike heights, the right higher",
             "2.5 are at unlike heights, the right far higher"),
    *_family("state", *_HANDS, "hands_crossed", (-0.1,), "2 are crossed", "-"),
    *_family("state", *_TRUNK, "trunk_front", (-15, 10, 25, 45),
             "1.5 leans back", "0 is upright", "1 leans forward", "2 is bent forward", "3 is bent far forward"),
    *_family("state", *_TRUNK, "trunk_side", (-10, 10), "1.5 leans to the left", "-", "1.5 leans to the right"),
    *_family("state", *_TRUNK, "trunk_twist", (-15, 15), "1.5 is twisted to the left", "-",
             "1.5 is twisted to the right"),
    *_family("state", "trunk and head", "the shoulders", "shoulder_tilt", (-0.15, 0.15),
             "1 are tilted, the left higher", "-", "1 are tilted, the right higher"),
    *_family("state", *_HEAD, "head_front", (-0.1, 0.25), "1 is drawn back", "-", "1.5 is pushed forward"),
    *_family("state", *_HEAD, "head_side", (-0.18, 0.18), "1 is to the left", "-", "1 is to the right"),
    *_family("state", *_HEAD, "head_up", (0.3,), "1.5 is bowed", "-"),
    *_family("state", *_HEAD, "nose_side", (-0.25, 0.25), "2 is turned to the left", "-", "2 is turned to the right"),
    *_family("state", *_HEAD, "head_speed", (0.3, 1.0, 2.0), "0 keeps still", "-", "1 moves", "2 moves fast"),
    *_family("state", *_KNEE, "{side}_knee_angle", (100, 135, 155),
             "2 {is} bent deep", "1.5 {is} bent", "0.5 {is} slightly bent", "0 {is} straight"),
    *_family("state", "legs", "the {side} thigh", "{side}_thigh_raise", (30, 60), "-", "1 slope{s} forward",
             "2 {is} level"),
    *_family("state", "legs", "the {side} foot", "{side}_foot_lift", (0.3,), "-", "1.5 {is} lifted"),
    *_family("state", "legs", "the {side} foot", "{side}_foot_speed", (0.4, 1.2, 2.5),
             "0 stand{s} still", "-", "1 step{s}", "1.5 step{s} quickly"),
    *_family("state", "legs", "the hips", "leg_stretch", (0.6, 0.8),
             "2.5 are low", "1.5 are half lowered", "0 are high, the legs stretched"),
    *_family("state", "legs", "the hips", "hips_back", (0.35,), "-", "1.5 are pushed back"),
    *_family("state", "legs", "the feet", "feet_apart", (0.3, 1.0, 1.5),
             "0.5 are together", "-", "1 are in a stride", "1.5 are in a wide stride"),
    *_family("state", "legs", "the feet", "feet_front", (-0.45, 0.45),
             "0.5 are set one before the other, the left ahead", "-",
             "0.5 are set one before the other, the right ahead"),
    *_family("state", "legs", "the legs", "feet_side", (0.0,), "1 are crossed", "-"),
    *_family("state", *_BODY, "body_speed", (0.3, 1.0, 2.5),
             "0 stays on its spot", "-", "1.5 leaves its spot", "2 leaves its spot fast"),
    *_family("state", "{side} arm", "the {side} hand", "{side}_hand_unseen", (0.5,), "-", "0.5 {is} out of sight"),
    *_family("state", *_HEAD, "head_unseen", (0.5,), "-", "0.5 is out of sight"),
    *_family("state", "legs", "the legs", "legs_unseen", (0.5,), "-", "0 are out of sight"),
]  # fmt: skip

CHANGES = [
    *_family("change", *_HAND, "{side}_hand_height", (-0.8, -0.25, 0.25, 0.8),
             "2.5 drop{s} far", "1.5 sink{s}", "-", "1.5 rise{s}", "2.5 shoot{s} up"),
    *_family("change", *_HAND, "{side}_hand_front", (-0.3, 0.3), "1.5 {is} drawn back", "-", "1.5 reach{es} forward"),
    *_family("change", *_HAND, "{side}_hand_side", (-0.3, 0.3), "1.5 swing{s} inwards", "-", "1.5 swing{s} outwards"),
    *_family("change", *_HAND, "{side}_hand_head", (-0.8, -0.35, 0.35, 0.8),
             "2 come{s} far up towards the head", "1.5 come{s} towards the head", "-", "1 leave{s} the head",
             "1.5 go{es} far away from the head"),
    *_family("change", *_ELBOW, "{side}_elbow_angle", (-30, 30), "1 bend{s}", "-", "1 stretch{es}"),
    *_family("change", *_ARM, "{side}_arm_raise", (-25, 25), "1 {is} lowered", "-", "1 {is} raised"),
    *_family("change", *_KNEE, "{side}_knee_angle", (-25, 25), "1.5 bend{s}", "-", "1.5 stretch{es}"),
    *_family("change", "legs", "the {side} foot", "{side}_foot_lift", (-0.25, 0.25), "1 {is} put down", "-",
             "1 {is} lifted up"),
    *_family("change", *_HANDS, "hands_apart", (-0.35, 0.35), "1.5 come together", "-", "1.5 part"),
    *_family("change", *_HANDS, "hands_level", (-0.5, 0.5),
             "1.5 change height against each other, the left upwards", "-",
             "1.5 change height against each other, the right upwards"),
    *_family("change", *_TRUNK, "trunk_front", (-25, -10, 10, 25),
             "2.5 straightens up far", "1.5 straightens up", "-", "1.5 bends forward", "2.5 bends far forward"),
    *_family("change", *_TRUNK, "trunk_side", (-8, 8), "1 sways to the left", "-", "1 sways to the right"),
    *_family("change", *_TRUNK, "trunk_twist", (-15, 15), "1 twists to the left", "-", "1 twists to the right"),
    *_family("change", *_HEAD, "head_front", (-0.1, 0.1), "0.5 is drawn back a little", "-", "0.5 nods forward"),
    *_family("change", *_HEAD, "head_side", (-0.1, 0.1), "0.5 tips to the left", "-", "0.5 tips to the right"),
    *_family("change", *_HEAD, "nose_side", (-0.15, 0.15), "2 turns to the left", "-", "2 turns to the right"),
    *_family("change", *_HEAD, "head_height", (-0.5, -0.15, 0.15, 0.5),
             "2.5 comes down far", "1.5 comes down", "-", "1.5 goes up", "2.5 goes up far"),
    *_family("change", "place", "the upper body", "chest_height", (-0.5, -0.15, 0.15, 0.5),
             "2.5 comes down far", "1.5 comes down", "-", "1.5 goes up", "2.5 goes up far"),
    *_family("change", "legs", "the hips", "hips_height", (-0.4, -0.12, 0.12, 0.4),
             "3 sink low", "2 sink", "-", "2 rise", "3 rise high"),
    *_family("change", "legs", "the feet", "feet_apart", (-0.3, 0.3), "0.5 close", "-", "0.5 step apart"),
    *_family("change", *_BODY, "yaw", (-60, -20, 20, 60),
             "2.5 turns far to the left", "1.5 turns to the left", "-", "1.5 turns to the right",
             "2.5 turns far to the right"),
    *_family("change", *_BODY, "way_forward", (-1.0, -0.3, 0.3, 1.0),
             "2 walks backwards", "1 moves backwards", "-", "1 moves forwards", "2 walks forwards"),
    *_family("change", *_BODY, "way_right", (-1.0, -0.3, 0.3, 1.0),
             "2 walks to the left", "1 moves to the left", "-", "1 moves to the right", "2 walks to the right"),
]  # fmt: skip

# Words of a course: ends higher, ends lower, up and back, down and back, to and fro (two or more reversals), steady.
COURSES = [
    *_family("course", *_HAND, "{side}_hand_height", (0.4,),
             "2 end{s} higher than before", "2 end{s} lower than before", "2 go{es} up and come{s} down again",
             "2 go{es} down and come{s} up again", "2.5 go{es} up and down again and again",
             "0 stay{s} at one height"),
    *_family("course", *_HAND, "{side}_hand_head", (0.4,),
             "1.5 end{s} farther from the head", "1.5 end{s} nearer to the head",
             "1 leave{s} the head and come{s} back",
             "2 visit{s} the head and leave{s} again", "2 come{s} to the head and leave{s} it again and again",
             "0 keep{s} its distance from the head"),
    *_family("course", *_HAND, "{side}_hand_front", (0.35,),
             "1.5 end{s} farther forward", "1.5 end{s} farther back", "2 reach{es} out and {is} drawn back",
             "2 {is} drawn back and then brought forward", "2 move{s} to and fro", "-"),
    *_family("course", *_HAND, "{side}_hand_side", (0.35,),
             "1 end{s} farther out", "1 end{s} farther in", "1.5 swing{s} out and back",
             "1.5 swing{s} in and back out",
             "1.5 swing{s} from side to side", "-"),
    *_family("course", *_ELBOW, "{side}_elbow_angle", (35,),
             "1 end{s} straighter", "1 end{s} more bent", "1 stretch{es} and bend{s} again",
             "1.5 bend{s} and stretch{es} again",
             "1.5 bend{s} and stretch{es} again and again", "-"),
    *_family("course", *_KNEE, "{side}_knee_angle", (25,),
             "2 end{s} straighter", "2 end{s} more bent", "1 stretch{es} and bend{s} again",
             "1.5 bend{s} and stretch{es} again",
             "1.5 bend{s} and stretch{es} again and again", "0 {is} not moved"),
    *_family("course", *_HANDS, "hands_apart", (0.4,),
             "1 end farther apart", "1 end nearer together", "1 part and come together again",
             "1.5 come together and part again", "1.5 come together and part again and again", "-"),
    *_family("course", *_HANDS, "hands_level", (0.5,),
             "1 end with the right raised over the left", "1 end with the left raised over the right",
             "1.5 are uneven for a while, the right higher", "1.5 are uneven for a while, the left higher",
             "2 rise in turn", "0 keep one level"),
    *_family("course", *_TRUNK, "trunk_front", (12,),
             "2 ends bent more than before", "2 ends straighter than before", "2.5 bends down and comes up again",
             "1.5 straightens and bends again", "1.5 bends and straightens again and again", "0 keeps its lean"),
    *_family("course", "legs", "the hips", "leg_stretch", (0.12,),
             "2 end over straighter legs", "2 end over bent legs", "1 rise over the feet and sink again",
             "2 crouch and rise again", "1 bob up and down", "-"),
    *_family("course", *_BODY, "yaw", (40,),
             "2 ends turned to the right", "2 ends turned to the left", "1.5 turns to the right and back",
             "1.5 turns to the left and back", "1.5 turns to and fro", "0 faces one way"),
    *_family("course", "legs", "the feet", "feet_apart", (0.35,),
             "1 end in a stride", "1 end together", "1 step apart and close", "1 close and step apart",
             "2 step again and again", "0 are not moved"),
    *_family("course", "place", "the upper body", "chest_height", (0.25,),
             "2.5 ends higher than before", "2.5 ends lower than before", "1.5 goes up and comes down again",
             "2.5 goes down and comes up again", "1.5 goes up and down", "0 keeps its height"),
    *_family("course", *_HEAD, "head_height", (0.25,),
             "2 ends higher than before", "2 ends lower than before", "1 goes up and comes down again",
             "2 goes down and comes up again", "1 goes up and down", "-"),
    *_family("course", "legs", "the hips", "hips_height", (0.25,),
             "2.5 end higher than before", "2.5 end lower than before", "1 go up and come down again",
             "2 go down and come up again", "1 go up and down", "-"),
    *_family("course", *_HEAD, "nose_side", (0.3,),
             "2 ends turned to the right", "2 ends turned to the left", "2 turns to the right and back",
             "2 turns to the left and back", "2 turns to and fro", "-"),
]  # fmt: skip

# Edges: the band that is held.
HELD = [
    *_family("held", *_HAND, "{side}_hand_head", (-1.0, 0.9),
             "1 {is} at the head only briefly", "2 stay{s} at the head for a second or two",
             "3 stay{s} at the head for long"),
    *_family("held", *_HAND, "{side}_hand_level", (-0.7, 9.0),
             "0.5 {is} raised only briefly", "1 {is} held up for a second or two", "2 {is} held up for long"),
    *_family("held", *_HAND, "{side}_hand_front", (-9.0, -0.3),
             "1 {is} behind the body only briefly", "2 stay{s} behind the body for a second or two",
             "2.5 stay{s} behind the body for long"),
    *_family("held", *_HAND, "{side}_hand_speed", (-1.0, 0.4),
             "-", "0.5 rest{s} for a second or two", "1 rest{s} for long"),
    *_family("held", *_HANDS, "hands_apart", (-1.0, 0.7),
             "1 meet only briefly", "1.5 stay close to each other for a second or two",
             "2 stay close to each other for long"),
    *_family("held", *_TRUNK, "trunk_front", (25.0, 180.0),
             "1 is bent forward only briefly", "2 stays bent forward for a second or two",
             "2.5 stays bent forward for long"),
    *_family("held", *_HEAD, "nose_side", (0.25, 9.0),
             "1.5 looks to the right only briefly", "2 looks to the right for a second or two",
             "2.5 looks to the right for long"),
    *_family("held", *_HEAD, "nose_side", (-9.0, -0.25),
             "1.5 looks to the left only briefly", "2 looks to the left for a second or two",
             "2.5 looks to the left for long"),
    *_family("held", *_BODY, "body_speed", (1.0, 99.0),
             "1 takes a step or two", "2 walks for a second or two", "2.5 walks on for long"),
]  # fmt: skip

# One value for the whole span.
WHOLES = [
    *_family("whole", *_HANDS, "hands_together", (-0.5, 0.7),
             "1.5 move against each other", "-", "2 move up and down together"),
    *_family("whole", *_HANDS, "hands_share", (-0.5, 0.5),
             "1.5 are unlike in use: the left moves, the right hardly", "-",
             "1.5 are unlike in use: the right moves, the left hardly"),
    *_family("whole", *_BODY, "net_way", (0.5, 1.5, 3.0),
             "0 ends where it began", "1 ends a step away", "2 ends some steps away", "2.5 ends far away"),
    *_family("whole", *_BODY, "whole_way", (0.5, 1.5, 3.0),
             "0 stays in its place", "0.5 goes a little way", "1 goes some way", "2 goes a long way"),
    *_family("whole", "place", "the movement", "seconds", (1.0, 2.0, 3.0, 6.0),
             "0.5 lasts less than a second", "0.5 lasts between one and two seconds",
             "0.5 lasts between two and three seconds", "0.5 lasts several seconds", "0.5 lasts long"),
]  # fmt: skip

FAMILIES = (*STATES, *CHANGES, *COURSES, *HELD, *WHOLES)
