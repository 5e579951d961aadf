"""The ranges that the landmark network is quantised by, read off pictures; and what INT8 costs and gains.

    python benchmarks/pose_int8.py ranges ../shared/data/video/action_recognition.gif
    edge-c2vl build-pose edge_c2vl/pose/networks --overwrite
    python benchmarks/pose_int8.py compare sample ../shared/data/video/*.mkv

`ranges` looks at drawn drivers and at the recordings named, and writes edge_c2vl/pose/ranges.json. Name only recordings
whose licence allows it. `compare` runs FP32 and INT8 in turns over recordings that `ranges` has not seen.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from edge_c2vl.cameras.camera import open_camera
from edge_c2vl.cameras.options import CameraOptions
from edge_c2vl.pose import PoseEstimator
from edge_c2vl.pose.landmarks import PIXELS
from edge_c2vl.pose.networks import FOLDER, as_input
from edge_c2vl.pose.quantise import RANGES, Quantiser
from edge_c2vl.pose.region import Region
from edge_c2vl.skeletons.skeleton import MEDIAPIPE33

DRAWN = [f"simulated:story?live=no&fps=0.5&seconds=60&seed={seed}" for seed in (1, 2)]
SHOULDERS = [MEDIAPIPE33.index("left_shoulder"), MEDIAPIPE33.index("right_shoulder")]
UPPER = MEDIAPIPE33.index("right_hip") + 1  # head to hips
TURN = 10


def images(uri: str) -> list[tuple[np.ndarray, float]]:
    found = []
    with open_camera(uri, CameraOptions()) as camera:
        while (frame := camera.read()) is not None:
            found.append((frame.image, frame.timestamp_s))
    return found


def looked_at(uris: list[str]) -> list[np.ndarray]:
    """What the landmark network is given for each picture, (1, 3, 256, 256)."""
    given: list[np.ndarray] = []
    cut = Region.cut

    def noted(self: Region, image: np.ndarray, pixels: int, replicate: bool) -> np.ndarray:
        picture = cut(self, image, pixels, replicate)
        if pixels == PIXELS and picture.any():
            given.append(as_input(picture, 1 / 255, 0))
        return picture

    Region.cut = noted
    for uri in uris:
        with PoseEstimator(kind="blazepose") as pose:
            for image, time_s in images(uri):
                pose.estimate(image, time_s)
    Region.cut = cut
    return given


def ranges(uris: list[str]) -> None:
    import onnx
    import onnxruntime

    wide = onnx.load(FOLDER / "landmarks.fp32.onnx")
    outputs = {output.name for output in wide.graph.output}
    for node in wide.graph.node:
        if node.output[0] not in outputs:
            wide.graph.output.append(onnx.helper.make_tensor_value_info(node.output[0], onnx.TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(wide.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    found: dict[str, tuple[float, float]] = {}
    pictures = looked_at([*DRAWN, *uris])
    for picture in pictures:
        for name, value in [("image", picture), *zip(names, session.run(names, {"image": picture}), strict=True)]:
            low, high = found.get(name, (0.0, 0.0))
            found[name] = min(low, float(value.min())), max(high, float(value.max()))
    quantiser = Quantiser(
        *((FOLDER / name).read_bytes() for name in ("landmarks.fp32.onnx", "landmarks.weights")), found
    )
    quantiser.quantise()
    kept = {name: [float(f"{value:.5g}") for value in found[name]] for name in quantiser.ranged}
    RANGES.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    print(f"{len(pictures)} pictures, {len(kept)} tensors: {RANGES}")


def compare(uris: list[str]) -> None:
    print("| recording | found alike | apart, median / 95 % (shoulder widths) | CPU ms a frame, FP32 / INT8 | gain |")
    print("|---|---|---|---|---|")
    everything: list[np.ndarray] = []
    for uri in uris:
        frames = images(uri)
        found: dict[str, list] = {"blazepose": [], "blazepose:int8": []}
        taken_ms: dict[str, list[float]] = {kind: [] for kind in found}
        poses = {kind: PoseEstimator(kind=kind) for kind in found}
        for first in range(0, len(frames), TURN):
            for kind in found if first // TURN % 2 else reversed(found):
                began = time.process_time()
                part = frames[first : first + TURN]
                found[kind] += [poses[kind].estimate(image, time_s) for image, time_s in part]
                taken_ms[kind].append((time.process_time() - began) * 1e3 / len(part))
        alike = np.mean([(a is None) == (b is None) for a, b in zip(*found.values(), strict=True)])
        both = [(a, b) for a, b in zip(*found.values(), strict=True) if a is not None and b is not None]
        one, other = (np.array(track)[:, :UPPER] for track in zip(*both, strict=True))
        width = np.median(np.linalg.norm(one[:, SHOULDERS[0], :2] - one[:, SHOULDERS[1], :2], axis=1))
        seen = (one[..., 3] >= 0.5) & (other[..., 3] > 0)
        apart = np.linalg.norm(one[..., :2] - other[..., :2], axis=2)[seen] / width
        everything.append(apart)
        fp32_ms, int8_ms = (np.array(taken) for taken in taken_ms.values())
        print(
            f"| {uri.rsplit('/', 1)[-1]} | {alike:.1%} | {np.median(apart):.4f} / {np.percentile(apart, 95):.4f} | "
            f"{np.median(fp32_ms):.1f} / {np.median(int8_ms):.1f} | {np.median(fp32_ms / int8_ms):.2f} |",
            flush=True,
        )
        for pose in poses.values():
            pose.close()
    together = np.concatenate(everything)
    print(f"| all | | {np.median(together):.4f} / {np.percentile(together, 95):.4f} | | |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["ranges", "compare"])
    parser.add_argument("recordings", nargs="*", metavar="URI")
    arguments = parser.parse_args()
    {"ranges": ranges, "compare": compare}[arguments.what](arguments.recordings)


if __name__ == "__main__":
    main()
