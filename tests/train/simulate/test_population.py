"""Many simulated drivers at once, held against the drawn driver's own kinematics and the vehicle's own clips."""

from __future__ import annotations

import numpy as np
import pytest

from edge_c2vl.errors import UsageError
from edge_c2vl.simulated.body import Build, Hand, Posture, solve
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.clip import ClipSpec, make_clip
from edge_c2vl.skeletons.skeleton import NTU25
from edge_c2vl.skeletons.windows import whole_clips
from train.knowledge.make import BankSettings, _captions
from train.simulate.population import archive as archive_module
from train.simulate.population.activities import LABELS, MIRRORED
from train.simulate.population.archive import write_archive
from train.simulate.population.clips import draw_clips, draw_sequences, normalise_many
from train.simulate.population.kinematics import HEAD, LEAN, LEFT, RIGHT, ROOT, SIZE, place_joints
from train.simulate.population.motion import Script, perform
from train.simulate.population.people import draw_people
from train.simulate.population.told import tell

SPEC = ClipSpec(frames=16, seconds=3.0)


def test_joints_are_those_of_the_drawn_driver():
    random = np.random.default_rng(0)
    people = draw_people(4, random)
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
