"""sktDD seen from more places than its three cameras: what the default bundle is trained on beside the recordings.

    edge-c2vl prepare sktdd original_sktDD sktdd.archive
    python -m train.recipes.sktdd_views sktdd.archive sktdd-views.archive

sktDD's cameras stand in front of the driver, to the right and farther to the right. From elsewhere hands at the wheel
lie elsewhere in the picture, and a network that knows three views takes them for a distraction. The three cameras see
the same moment, so joints can be triangulated and projected to any other place. The cameras are found first, by what
all of them see and by bones that keep their length: scaled orthographic projections, no calibration is known. The
result is a rough body in three dimensions, good enough to vary training clips; nothing is judged on it.

The new archive holds all that the given one does, and of each moment `turned` recordings: `--labelled` views of a
labelled drive, `--normal` of a recording of normal driving, from places drawn by lot.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from edge_c2vl.archive import Archive, ArchiveWriter
from edge_c2vl.errors import DatasetError
from edge_c2vl.progress import track
from edge_c2vl.skeleton import NTU25, ORIGIN, Array, body_unit
from train.datasets.sktdd import FPS

Floats = NDArray[np.float64]

CAMERAS = ("dashboard", "mirror", "window")
# Joints that two cameras or more see at least now and then.
_SEEN = "head neck left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_hip right_hip"
JOINTS = tuple(NTU25.index(name) for name in _SEEN.split())
# Shoulders, upper arms, forearms, as positions in JOINTS; arms are as long on both sides.
BONES = ((2, 3), (2, 4), (3, 5), (4, 6), (5, 7))
# Of a shoulder breadth (Drillis & Contini): upper arm .186 / .259, forearm .146 / .259.
SHARES = (0.72, 0.56)
# How far off a seen joint is, and how far a joint is from its usual place, in shoulder breadths.
SEEN, USUAL = 0.03, 0.3
# Where a camera in a vehicle may stand: degrees to the driver's right (negative) or left, and above or below; and how
# near: 1 / distance in shoulder breadths. With mirror images in training both sides of the vehicle are covered.
YAW, PITCH, ROLL, NEARNESS = (-80.0, 50.0), (-40.0, 10.0), 5.0, (0.1, 0.45)


def rotation(yaw: float, pitch: float, roll: float) -> Floats:
    """(3, 3), degrees: about the vertical axis, then the picture's horizontal one, then the viewing one."""
    (cy, cp, cr), (sy, sp, sr) = np.cos(np.radians([yaw, pitch, roll])), np.sin(np.radians([yaw, pitch, roll]))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def pictures(archive: Archive, rows: dict[str, int]) -> Floats:
    """(T, J, 3 cameras, 2): where each camera sees the JOINTS, from the median of the spine-shoulder joint, in the
    dashboard camera's shoulder breadths; NaN where it does not."""
    unit = body_unit(archive.sequence(rows["dashboard"]))
    views = []
    for camera in CAMERAS:
        sequence = archive.sequence(rows[camera])
        origin = np.median(sequence[sequence[:, ORIGIN, 3] > 0, ORIGIN, :2], axis=0)
        seen = sequence[:, JOINTS, 3:] > 0
        views.append(np.where(seen, (sequence[:, JOINTS, :2] - origin) / unit, np.nan))
    shortest = min(map(len, views))
    return np.stack([view[:shortest] for view in views], axis=2).astype(np.float64)


def triangulate(seen: Floats, cameras: Floats, usual: Floats | None = None) -> Floats:
    """(T, J, C, 2) by cameras (C, 2, 3) -> (T, J, 3), the nearest in the least squares. NaN where fewer than two
    cameras see a joint; with its `usual` place (J, 3) one is enough: that tells how far away it probably is."""
    known = np.isfinite(seen[..., 0])
    rows = np.einsum("vij,nkv->nkvij", cameras, known).reshape(*known.shape[:2], -1, 3)
    values = np.nan_to_num(seen).reshape(*known.shape[:2], -1)
    weight = 1e-3 if usual is None else (SEEN / USUAL) ** 2
    pull = np.zeros(3) if usual is None else weight * usual
    normal = rows.swapaxes(-1, -2) @ rows + weight * np.eye(3)
    right = (rows.swapaxes(-1, -2) @ values[..., None])[..., 0] + pull
    found = np.linalg.solve(normal, right[..., None])[..., 0]
    found[known.sum(axis=2) < (2 if usual is None else 1)] = np.nan
    return found


def find_cameras(seen: Floats) -> Floats:
    """(N, J, 3 cameras, 2) -> (3, 2, 3). The first camera's axes and scale are the body's own."""

    def cameras(values: Floats) -> Floats:
        turned = [np.exp(scale) * rotation(*angles)[:2] for *angles, scale in values.reshape(2, 4)]
        return np.stack([np.eye(3)[:2], *turned])

    def errors(values: Floats) -> Floats:
        found = triangulate(seen, cameras(values))
        projected = np.einsum("vij,nkj->nkvi", cameras(values), found)
        lengths = np.stack([np.linalg.norm(found[:, a] - found[:, b], axis=1) for a, b in BONES], axis=1)
        usual = np.nanmedian(lengths, axis=0)
        return np.concatenate(
            [
                3 * np.nan_to_num(seen - projected).ravel(),
                0.5 * np.nan_to_num(np.log(lengths / usual)).ravel(),
                30 * np.log(usual[[1, 3]] / usual[[2, 4]]),
                10 * np.log(usual[[1, 3]] / usual[0] / SHARES),
            ]
        )

    start = np.array([-50.0, 15.0, 0.0, 0.0, -80.0, 10.0, 0.0, 0.0])
    scale = np.array([30.0, 30.0, 30.0, 1.0] * 2)
    solved = least_squares(errors, start, x_scale=scale, loss="soft_l1", f_scale=0.2, max_nfev=100)
    return cameras(solved.x)


def turn(body: Floats, random: np.random.Generator) -> Array:
    """(T, J, 3), NaN where unknown -> an ntu25 sequence (T, 25, 4) in a picture, from a place drawn by lot."""
    angles = random.uniform(*YAW), random.uniform(*PITCH), random.uniform(-ROLL, ROLL)
    points = body @ rotation(*angles).T
    # A pinhole camera, and never nearer to a hand than a third of its distance to the body.
    depth = np.maximum(1 + random.uniform(*NEARNESS) * points[..., 2:], 1 / 3)
    result = np.zeros((len(body), NTU25.size, 4), np.float32)
    known = np.isfinite(points).all(axis=2)
    result[:, JOINTS, :2] = np.where(known[..., None], 100 * points[..., :2] / depth, 0)
    result[:, JOINTS, 3] = known
    for name, parts in (
        ("spine_shoulder", ("left_shoulder", "right_shoulder")),
        ("spine_base", ("left_hip", "right_hip")),
        ("spine_mid", ("spine_shoulder", "spine_base")),
    ):
        pair = result[:, [NTU25.index(part) for part in parts]]
        result[:, NTU25.index(name)] = pair.mean(axis=1) * (pair[..., 3] > 0).all(axis=1, keepdims=True)
    return result


def add_views(archive: Archive, path: Path, labelled: int, normal: int, seed: int = 0, overwrite: bool = False) -> None:
    """Writes the archive with turned recordings. Raises DatasetError where it has not sktDD's three cameras."""
    clips, random = archive.clips, np.random.default_rng(seed)
    if "kind" not in clips.columns or set(clips["camera"]) != set(CAMERAS):
        raise DatasetError(f"{archive.path} is not sktDD: make it with edge-c2vl prepare sktdd")
    moments = {
        name: dict(zip(clips["camera"][rows], rows, strict=True))
        for name, rows in clips.groupby("group").groups.items()
        if len(rows) == len(CAMERAS)
    }
    seen = {name: pictures(archive, rows) for name, rows in track(moments.items(), "reading", len(moments))}
    some = [
        views[random.choice(len(views), 150, replace=False)] for name, views in seen.items() if name.startswith("label")
    ]
    cameras = find_cameras(np.concatenate(some))
    usual = np.nanmedian(triangulate(np.concatenate(some), cameras), axis=0)
    with ArchiveWriter(
        path,
        labels=archive.labels,
        **{name: archive.meta[name] for name in ("source", "licence", "source_layout", "dimensions")},
        overwrite=overwrite,
    ) as writer:
        for row in range(len(archive)):
            about = {name: str(clips[name][row]) for name in ("subject", "camera", "group", "kind")}
            writer.append(
                str(clips["name"][row]),
                archive.sequence(row),
                FPS,
                label=int(clips["label"][row]),
                frame_labels=archive.frame_labels(row),
                **about,
            )
        for name, rows in track(moments.items(), "turning", len(moments)):
            first = rows["dashboard"]
            kind = str(clips["kind"][first])
            body = triangulate(seen[name], cameras, usual)
            labels = archive.frame_labels(first)
            for number in range(labelled if kind == "labelled" else normal):
                writer.append(
                    f"{name}/turned-{number}",
                    turn(body, random),
                    FPS,
                    label=int(clips["label"][first]),
                    frame_labels=None if labels is None else labels[: len(body)],
                    subject=str(clips["subject"][first]),
                    camera="turned",
                    group=f"{name}/turned-{number}",
                    kind=f"{kind}, turned",
                )


@click.command()
@click.argument("archive", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--labelled", type=click.IntRange(0), default=8, show_default=True, help="Views of a labelled drive.")
@click.option("--normal", type=click.IntRange(0), default=3, show_default=True, help="Views of a normal recording.")
@click.option("--overwrite", is_flag=True, help="Replace an archive that exists.")
def main(archive: Path, output: Path, labelled: int, normal: int, overwrite: bool) -> None:
    """Write OUTPUT: the sktDD ARCHIVE, and what it shows from other places."""
    add_views(Archive.open(archive), output, labelled, normal, overwrite=overwrite)


if __name__ == "__main__":
    main()
