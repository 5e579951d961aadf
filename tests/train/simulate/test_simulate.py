"""The simulated data set: in exactly Drive&Act's files, repeatable, split by driver."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge_c2vl.errors import DatasetError, UsageError
from edge_c2vl.simulated.activities import MIDLEVEL
from edge_c2vl.simulated.body import solve
from edge_c2vl.simulated.cameras import VIEWS
from edge_c2vl.simulated.driver import make_driver
from edge_c2vl.simulated.motion import Motion
from edge_c2vl.skeletons.skeleton import DRIVEACT26
from train.commands.simulate import simulate as command
from train.datasets import drive_act
from train.datasets.drive_act_labels import SIMULATED, is_simulated
from train.simulate import dataset, labels, protocol, skeletons
from train.simulate.dataset import SimulateSettings, simulate

SMALL = SimulateSettings(drivers=3, seconds=30.0, cameras=())
# As the authors' label files have them: class counts differ, names and columns must not.
TASKS = {
    "fasten_seat_belt", "hand_over", "work", "eat_drink", "read_write_newspaper", "read_write_magazine", "watch_video",
    "put_on_jacket", "take_off_jacket", "put_on_sunglasses", "take_off_sunglasses", "final_task",
}  # fmt: skip


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "small"
    simulate(folder, SMALL)
    return folder


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """The same by the command, and what it printed."""
    folder = tmp_path_factory.mktemp("again") / "out"
    arguments = [str(folder), "--drivers", "3", "--seconds", "30", "--cameras", "none", "--json"]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    return folder, json.loads(result.stdout)


def test_a_plan_has_all_activities_and_tasks_and_fills_its_time() -> None:
    steps = protocol.plan((0, 1, 1), 90.0)
    assert {step.activity for step in steps} == set(MIDLEVEL)
    assert {step.task for step in steps} == TASKS | {None}
    assert steps[0].start_s == pytest.approx(0)
    assert steps[-1].end_s == pytest.approx(90)
    assert all(first.end_s == pytest.approx(second.start_s) for first, second in pairwise(steps))
    assert min(step.end_s - step.start_s for step in steps) > 0.3
    assert steps == protocol.plan((0, 1, 1), 90.0)
    assert steps != protocol.plan((0, 1, 2), 90.0)


def test_what_is_taken_off_was_put_on_before() -> None:
    for seed in range(20):
        order = [step.activity for step in protocol.plan((seed,), 60.0)]
        for thing in ("jacket", "sunglasses"):
            assert order.index(f"putting_on_{thing}") < order.index(f"taking_off_{thing}")


def test_fifteen_drivers_are_split_as_the_authors_did() -> None:
    tests = []
    for split in range(3):
        parts = labels.split_of(15, split)
        by_part = {part: {number for number, p in parts.items() if p == part} for part in labels.PARTS}
        assert {part: len(numbers) for part, numbers in by_part.items()} == {"train": 10, "val": 2, "test": 3}
        tests.append(by_part["test"])
    assert tests[0] == {5, 11, 13}
    assert labels.split_of(15, 0)[14] == labels.split_of(15, 0)[15] == "val"
    assert len(tests[0] | tests[1] | tests[2]) == 9


@pytest.mark.parametrize("drivers", [3, 4, 7, 30])
def test_every_split_has_all_parts(drivers: int) -> None:
    for split in range(3):
        assert set(labels.split_of(drivers, split).values()) == set(labels.PARTS)
        assert set(labels.split_of(drivers, split)) == set(range(1, drivers + 1))


def test_the_files_are_drive_acts(small: Path, data_dir: Path) -> None:
    real = (data_dir / "drive-act" / "excerpt_midlevel_ids_1.csv").read_text().splitlines()[0]
    folder = small / "activities_3s" / "inner_mirror"
    expected = {
        f"{level}.chunks_90{part}.csv"
        for level in labels.LEVELS
        for part in ("", *(f".split_{split}.{name}" for split in range(3) for name in labels.PARTS))
    }
    assert {path.name for path in folder.iterdir()} == expected
    for level in ("midlevel", "tasklevel"):
        assert (folder / f"{level}.chunks_90.csv").read_text().splitlines()[0] == real
    header = (folder / "objectlevel.chunks_90.csv").read_text().splitlines()[0]
    assert header == real.replace("activity", "activity,object,location")
    assert {row["activity"] for row in table(folder / "midlevel.chunks_90.csv")} == set(MIDLEVEL)
    assert {row["activity"] for row in table(folder / "tasklevel.chunks_90.csv")} == TASKS
    for level in labels.LEVELS:
        whole = table(folder / f"{level}.chunks_90.csv")
        for split in range(3):
            parts = [table(folder / f"{level}.chunks_90.split_{split}.{part}.csv") for part in labels.PARTS]
            assert sorted(map(str, whole)) == sorted(str(row) for rows in parts for row in rows)
            for part, chosen in zip(labels.PARTS, parts, strict=True):
                drivers = {int(row["participant_id"]) for row in chosen}
                assert drivers == {n for n, p in labels.split_of(3, split).items() if p == part}


def test_nobody_takes_it_for_drive_act(small: Path) -> None:
    assert is_simulated(small)
    settings = json.loads((small / SIMULATED).read_text().splitlines()[-1])
    assert SimulateSettings(**settings | {"cameras": tuple(settings["cameras"])}) == SMALL


def test_chunks_follow_one_another_and_last_three_seconds_at_most(small: Path) -> None:
    for level in labels.LEVELS:
        by_annotation = defaultdict(list)
        for row in table(small / "activities_3s" / "inner_mirror" / f"{level}.chunks_90.csv"):
            by_annotation[row["file_id"], int(row["annotation_id"])].append(row)
        for rows in by_annotation.values():
            assert [int(row["chunk_id"]) for row in rows] == list(range(len(rows)))
            for row in rows[:-1]:
                assert int(row["frame_end"]) - int(row["frame_start"]) == 90
            assert 0 < int(rows[-1]["frame_end"]) - int(rows[-1]["frame_start"]) <= 90
            assert all(int(a["frame_end"]) == int(b["frame_start"]) for a, b in pairwise(rows))
            assert int(rows[-1]["frame_end"]) <= 30 * SMALL.seconds


def test_frame_numbers_are_each_cameras_own() -> None:
    steps = protocol.plan((0, 1, 1), 240.0)
    motion = Motion(make_driver(1), protocol.script(steps))
    stretches = labels.annotate(steps, motion)["midlevel"]
    nir, kinect = (VIEWS[name] for name in ("inner_mirror", "kinect_color"))
    by_camera = [labels.rows(stretches, 1, "run1", view, int(240 * view.fps)) for view in (nir, kinect)]
    assert by_camera[0][0][1] == "vp1/run1.ids_1"
    assert by_camera[1][0][1] == "vp1/run1.kinect_color"
    chunks = [{(row[2], row[-1]): row for row in rows} for rows in by_camera]
    lengths = []
    for key in chunks[0].keys() & chunks[1].keys():
        a, b = chunks[0][key], chunks[1][key]
        assert a[5] == b[5]
        # The same moment within half a picture of each.
        assert abs(int(a[3]) / nir.fps - int(b[3]) / kinect.fps) <= 0.5 / nir.fps + 0.5 / kinect.fps
        if int(a[4]) - int(a[3]) == 90:
            lengths.append(int(b[4]) - int(b[3]))
    assert set(lengths) <= {44, 45, 46, 47}
    assert np.mean(lengths) == pytest.approx(45.4, abs=0.3)


def test_labels_say_what_the_driver_does(small: Path) -> None:
    run = dataset._Run(2, 1, SMALL)
    steps = protocol.plan((0, 2, 1), SMALL.seconds)
    motion = Motion(make_driver(2), protocol.script(steps))
    rows = [
        row
        for row in table(small / "activities_3s" / "inner_mirror" / "midlevel.chunks_90.csv")
        if row["file_id"] == f"vp2/{run.name}.ids_1"
    ]
    assert len(rows) >= len(steps)
    for row in rows:
        middle_s = (int(row["frame_start"]) + int(row["frame_end"])) / 2 / 30
        assert motion.at(middle_s).activity == row["activity"]


def test_skeletons_are_the_truth_with_what_drive_act_lacks(small: Path) -> None:
    run = dataset._Run(1, 1, SMALL)
    path = small / "openpose_3d" / "vp1" / f"{run.name}.ids_1.openpose.3d.csv"
    frames, joints = drive_act.read_skeletons(path)  # y up
    assert 0.97 * 900 < len(frames) < 900  # some rows are left out
    p = joints[..., 3]
    for name in ("left_knee", "right_ankle", "left_foot", "right_small_toe", "left_heel", "background"):
        assert (p[:, DRIVEACT26.index(name)] == 0).all()
    assert (p[:, DRIVEACT26.index("left_ear")] > 0).mean() < 0.2
    shoulder = DRIVEACT26.index("right_shoulder")
    assert (p[:, shoulder] > 0).mean() > 0.8
    assert (joints[p == 0][:, :3] == 0).all()
    motion = Motion(make_driver(1), protocol.script(protocol.plan((0, 1, 1), SMALL.seconds)))
    errors = []
    for frame, row in zip(frames[400:600:10], joints[400:600:10], strict=True):
        if row[shoulder, 3]:
            true = solve(motion.driver.build, motion.at(frame / 30).posture).joints["right_shoulder"]
            errors.append(row[shoulder, :3] - VIEWS["inner_mirror"].to_camera(true))
    assert np.std(errors) == pytest.approx(0.008, rel=0.5)
    assert np.abs(np.mean(errors)) < 0.006


def test_calibrations_take_skeletons_to_the_videos() -> None:
    cv2 = pytest.importorskip("cv2")
    rotation = pytest.importorskip("scipy.spatial.transform").Rotation
    driver = make_driver(1)
    motion = Motion(driver, protocol.script(protocol.plan((0, 1, 1), 60.0)))
    joints = solve(driver.build, motion.at(30.0).posture).joints
    names = ("nose", "left_shoulder", "right_elbow")
    world = np.stack([VIEWS["inner_mirror"].to_camera(joints[name]) * (1, -1, 1) for name in names])
    for name in ("inner_mirror", "a_column_driver", "kinect_color"):
        view = VIEWS[name].scaled(640, 400)
        values = dataset.calibration(view)
        inside, outside = values["intrinsics"], values["extrinsics"]
        matrix = np.array(
            [
                [inside["focallength"]["fx"], 0, inside["principal_point"]["cx"]],
                [0, inside["focallength"]["fy"], inside["principal_point"]["cy"]],
                [0, 0, 1],
            ]
        )
        turn = rotation.from_quat([outside["rotation"][axis] for axis in "xyzw"]).as_rotvec()
        shift = np.array([outside["translation"][axis] for axis in "xyz"])
        pixels, _ = cv2.projectPoints(world.astype(float), turn, shift, matrix, np.zeros(5))
        expected = view.project(np.stack([joints[joint] for joint in names]))
        np.testing.assert_allclose(pixels[:, 0], expected[:, :2], atol=0.05)


def test_the_loader_reads_it(small: Path) -> None:
    from train.datasets.source import Options

    for level, least in (("midlevel", 34), ("tasklevel", 12), ("objectlevel", 20)):
        source = drive_act.open_source(small, Options(level=level))
        assert len(source.labels) >= least
        clips = source.read(next(iter(source.items)))
        assert clips[0].columns.keys() >= {"split_0", "split_1", "split_2"}
        assert {clip.sequence.shape[1:] for clip in clips} == {(25, 4)}


def test_the_same_seed_writes_the_same_files(small: Path, again: tuple[Path, dict]) -> None:
    folder, _ = again
    files = sorted(path.relative_to(small) for path in small.rglob("*.csv"))
    assert files == sorted(path.relative_to(folder) for path in folder.rglob("*.csv"))
    for name in files:
        assert (small / name).read_bytes() == (folder / name).read_bytes(), name


def test_videos_have_the_labels_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cv2 = pytest.importorskip("cv2")
    # A few pictures of each session: a whole one takes as long to draw as it lasts.
    monkeypatch.setattr(dataset, "_frames", lambda view, _: 12 if view.name == "kinect_depth" else 90)
    report = simulate(tmp_path / "out", SimulateSettings(drivers=3, seconds=30.0, cameras=("kinect_depth",), width=96))
    assert (report.videos, report.frames) == (3, 36)
    for number in (1, 2, 3):
        folder = tmp_path / "out" / "kinect_depth" / f"vp{number}"
        stem = dataset._Run(number, 1, SMALL).name + ".kinect_depth"
        video = cv2.VideoCapture(str(folder / f"{stem}.mp4"))
        assert int(video.get(cv2.CAP_PROP_FRAME_COUNT)) == 12
        assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(VIEWS["kinect_depth"].fps, abs=0.01)
        assert video.get(cv2.CAP_PROP_FRAME_WIDTH) == 96
        assert len((folder / f"{stem}.timestamps").read_text().splitlines()) == 12
        calibration = json.loads((folder / f"{stem}.calibration.json").read_text())
        assert calibration["intrinsics"]["principal_point"]["cx"] == 48
    rows = table(tmp_path / "out" / "activities_3s" / "kinect_depth" / "midlevel.chunks_90.csv")
    assert max(int(row["frame_end"]) for row in rows) == 12
    assert {row["file_id"].rpartition(".")[2] for row in rows} == {"kinect_depth"}


def test_nothing_half_written_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(skeletons, "write", broken)
    with pytest.raises(KeyboardInterrupt):
        simulate(tmp_path / "out", SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_exists_is_kept(small: Path) -> None:
    before = sorted(small.rglob("*"))
    with pytest.raises(DatasetError, match="exists; choose another folder, or give --overwrite"):
        simulate(small, SMALL)
    assert sorted(small.rglob("*")) == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (SimulateSettings(cameras=("roof",)), "no camera 'roof': there are inner_mirror"),
        (SimulateSettings(seconds=5.0), "--seconds is 5; all activities need 30 or more"),
        (SimulateSettings(drivers=2), "--drivers is 2; splits by driver need 3 or more"),
    ],
)
def test_settings_that_make_no_sense_are_told(settings: SimulateSettings, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        simulate(tmp_path / "out", settings)


def test_the_command_prints_what_was_written(again: tuple[Path, dict]) -> None:
    folder, outcome = again
    rows = table(folder / "activities_3s" / "inner_mirror" / "midlevel.chunks_90.csv")
    assert outcome == {"folder": str(folder), "runs": 3, "chunks": len(rows), "videos": 0, "frames": 0}
