"""Many simulated drivers at once, held against the drawn driver's own kinematics and the vehicle's own clips."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_c2vl.errors import UsageError
from edge_c2vl.simulated.body import HEAD_POINTS, Build, Hand, Posture, solve
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.clip import ClipSpec, make_clip
from edge_c2vl.skeletons.skeleton import NTU25
from edge_c2vl.skeletons.windows import whole_clips
from train.knowledge.make import BankSettings, _captions
from train.simulate.population import archive as archive_module
from train.simulate.population.activities import LABELS, MIRRORED
from train.simulate.population.archive import write_archive
from train.simulate.population.cameras import Cameras
from train.simulate.population.clips import draw_clips, draw_sequences, normalise_many
from train.simulate.population.estimator import Errors, observe
from train.simulate.population.kinematics import HEAD, LEAN, LEFT, RIGHT, ROOT, SIZE, place_joints, place_trunk
from train.simulate.population.motion import Script, perform
from train.simulate.population.people import draw_people
from train.simulate.population.told import tell

SPEC = ClipSpec(frames=16, seconds=3.0)


def test_joints_are_those_of_the_drawn_driver():
    random = np.random.default_rng(0)
    people = replace(draw_people(4, random), carriage=np.zeros((4, 3), np.float32))
    posture = random.normal(0, 1, (4, 2, SIZE)).astype(np.float32)
    posture[..., LEFT] = np.array([0.25, 0.3, -0.3]) + 0.1 * posture[..., LEFT]
    posture[..., RIGHT] = np.array([-0.25, 0.3, -0.3]) + 0.1 * posture[..., RIGHT]
    for columns, size in ((slice(6, 8), 20), (ROOT, 0.03), (LEAN, 15), (HEAD, 20)):
        posture[..., columns] *= size
    joints = place_joints(people, posture)
    down, ahead = np.array([0, -1, 0], np.float32), np.array([0, 0, -1], np.float32)
    for person in range(4):
        build = Build(*(float(part[person]) for part in (people.stature, np.ones(4), people.breadth, people.recline)))
        for values, frame in zip(posture[person], range(2), strict=True):
            hands = [Hand(values[at], ahead, down, 0.5, float(values[lift])) for at, lift in ((LEFT, 6), (RIGHT, 7))]
            root = values[ROOT] + people.seat[person] - build.seat
            expected = solve(build, Posture(*hands, root, values[LEAN], values[HEAD])).joints
            for name, places in joints.items():
                assert places[person, frame] == pytest.approx(expected[name], abs=1e-5), name


def test_the_head_is_carried_where_the_driver_carries_it():
    people = draw_people(3, np.random.default_rng(0))
    posture = np.zeros((3, 1, SIZE), np.float32)
    upright = place_joints(replace(people, carriage=np.zeros((3, 3), np.float32)), posture)
    for name, places in place_joints(people, posture).items():
        moved = people.carriage if name in HEAD_POINTS else np.zeros(3)
        assert (places - upright[name])[:, 0] == pytest.approx(np.broadcast_to(moved, (3, 3)), abs=1e-6), name


def observed(**errors: float) -> dict[str, np.ndarray]:
    """What is seen (300,) of an attentive driver with the far arm behind the trunk, from beside him."""
    count, random = 300, np.random.default_rng(0)
    people = replace(draw_people(1, random).take(np.zeros(count, np.int64)), lean=np.zeros((count, 3), np.float32))
    posture = np.zeros((count, 1, SIZE), np.float32)
    posture[:, 0, LEFT], posture[:, 0, RIGHT] = (0.2, 0.2, 0.1), (-0.2, 0.3, -0.4)
    away = np.array([[0, 0, -1], [0, 1, 0], [1, 0, 0]], np.float32)  # to the driver's left
    cameras = Cameras(
        np.zeros(count, np.int64),
        np.full((count, 3), (-1.5, 0.25, 0.05), np.float32),
        np.broadcast_to(away, (count, 3, 3)),
        np.ones(count, np.float32),
        np.ones(count, np.float32),
    )
    exact = Errors(**{"joint_missing": 0, "hips_missing": 0, "swapped": 0, **errors})
    seen = observe(place_joints(people, posture), place_trunk(people, posture), cameras, exact, random)[1]
    return {name: at[:, 0] for name, at in seen.items()}


def test_openpose_finds_the_neck_by_itself_and_the_far_arm_in_some_pictures():
    guesses, openpose = observed(openpose=0.0), observed(openpose=1.0)
    assert guesses["left_wrist"].all()
    assert guesses["left_ear"].all()
    assert not guesses["spine_shoulder"].any()  # it is derived from the shoulders
    assert openpose["spine_shoulder"].all()
    assert openpose["right_wrist"].all()
    assert 0.3 < openpose["left_wrist"].mean() < 0.7
    assert openpose["left_shoulder"].mean() > 0.8
    assert not openpose["left_ear"].any()


def test_clips_are_normalised_as_in_the_vehicle():
    random = np.random.default_rng(1)
    sequences = np.zeros((3, SPEC.frames, NTU25.size, 4), np.float32)
    sequences[..., :2] = random.normal(0, 1, (3, SPEC.frames, NTU25.size, 2))
    sequences[..., 3] = 1
    sequences[1, :, 5] = 0
    data, arms = normalise_many(sequences, SPEC)
    for number in range(3):
        clip = make_clip(sequences[number], np.linspace(0, 3, SPEC.frames), 3.0, SPEC)
        assert data[number] == pytest.approx(clip.data, abs=1e-4)
        assert arms[number] == pytest.approx(clip.arms)


def test_the_same_seed_draws_the_same_clips_of_every_activity():
    one, other = draw_clips(200, 3, SPEC), draw_clips(200, 3, SPEC)
    assert (one.data == other.data).all()
    assert np.isfinite(one.data).all()
    assert set(one.label) == set(range(len(LABELS)))
    assert not (one.data == draw_clips(200, 4, SPEC).data).all()


def test_what_is_done_with_the_left_hand_is_done_with_the_right_one_in_a_mirror():
    assert LABELS[MIRRORED[LABELS.index("talking_on_phone_left")]] == "talking_on_phone_right"
    assert [MIRRORED[MIRRORED[number]] for number in range(len(LABELS))] == list(range(len(LABELS)))


def test_captions_say_what_is_done_and_where_the_hands_are():
    drawn = draw_sequences(400, 5, SPEC)
    assert len(drawn.told) == 400
    done = {LABELS[label]: text for label, text in zip(drawn.label, drawn.told, strict=True)}
    assert "attentively" in done["attentive"]
    at_ear = [text for label, text in zip(drawn.label, drawn.told, strict=True) if "talking_on_phone" in LABELS[label]]
    assert (
        np.mean(["hand is at the ear" in text for text in at_ear]) > 0.7
    )  # some speak into it, and some hold it for too short


def test_captions_of_a_mirrored_clip_name_the_hands_that_the_picture_shows():
    people, times_s = draw_people(2, np.random.default_rng(3)), np.linspace(0, 3, 8, dtype=np.float32)
    right = np.full(2, LABELS.index("talking_on_phone_right"))
    script = Script(right, right, np.full(2, np.inf, np.float32), np.ones(2, np.float32))
    posture = perform(people, script, times_s, np.random.default_rng(4))
    plain, mirrored = tell(people, posture, script.label(times_s), np.array([False, True]))
    assert plain.startswith("The driver talks on the phone; a phone is in the right hand; ")
    assert mirrored.startswith("The driver talks on the phone; a phone is in the left hand; ")


def test_an_archive_keeps_what_is_told_and_a_bank_takes_it(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_module, "BATCH", 60)
    write_archive(tmp_path / "archive", 30, 0)
    archive = Archive.open(tmp_path / "archive")
    archive.clips.loc[3, "told"] = ""
    windows, captions = _captions(archive, whole_clips(archive), BankSettings(told=True))
    assert len(captions) == len(windows) == 30
    for row, (movement, done) in enumerate(captions):
        assert done == (movement if row == 3 else archive.clips["told"][row])
    archive.clips["told"] = ""
    with pytest.raises(UsageError, match="tells of no recording"):
        _captions(archive, whole_clips(archive), BankSettings(told=True))
