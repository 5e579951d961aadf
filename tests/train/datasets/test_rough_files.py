"""What every loader meets sooner or later: files that other systems leave, byte-order marks, clips that show nobody."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_c2vl.errors import DatasetError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.utils.atomic import files_below, is_hidden
from edge_c2vl.utils.texts import decoded, read_json
from tests.support.datasets import ctr_gcn, drive_act, ntu, nw_ucla, pku_mmd, pyskl, sktdd, utd_mhad
from train.commands.prepare import prepare as command
from train.datasets.ntu import NAME as NTU_NAME
from train.datasets.prepare import prepare
from train.datasets.source import Options, names_in

BOM = b"\xef\xbb\xbf"
VALUES = {"all zero": 0.0, "all NaN": np.nan}


def make_ctr_gcn(folder: Path, value: float | None) -> Path:
    x = ctr_gcn.clips(3, 0)
    if value is not None:
        x[1] = value
    return ctr_gcn.write(folder / "mine.npz", x_train=x).parent


def make_drive_act(folder: Path, value: float | None) -> Path:
    frames = list(range(20))
    drive_act.write_skeletons(folder, frames)
    drive_act.write_labels(folder, [f"1,{drive_act.RUN},0,0,9,eating,0", f"1,{drive_act.RUN},1,9,20,drinking,0"])
    if value is not None:
        path = folder / "openpose_3d" / f"{drive_act.RUN}.openpose.3d.csv"
        lines = path.read_text().splitlines()
        empty = ",".join([str(value)] * (26 * 4))
        for row in range(10, 21):
            lines[row] = ",".join([*lines[row].split(",")[:2], empty])
        path.write_text("\n".join(lines) + "\n")
    return folder


def ntu60(folder: Path, value: float | None) -> Path:
    for number in (1, 2):
        joints = ntu.standing(12)
        if value is not None and number == 2:
            joints[:] = value
        ntu.write(folder, {"1": (0, joints)}, 12, f"S001C001P001R001A00{number}")
    if value == 0:  # where Kinect finds a body, no joint lies in the sensor: it loses it, and says nothing at all
        (folder / "S001C001P001R001A002.skeleton").write_text("3\n0\n0\n0\n")
    return folder


def make_nw_ucla(folder: Path, value: float | None) -> Path:
    nw_ucla.write(folder)
    empty = {} if value is None else {"skeletons": np.full((2, 20, 3), value).tolist()}
    nw_ucla.write(folder, "a08_s02_e04_v03", **empty)
    return folder


def make_pku_mmd(folder: Path, value: float | None) -> Path:
    values = pku_mmd.frames(9, bodies=1)
    if value is not None:
        values[4:] = value
    pku_mmd.write(folder, "0002-L", values, "1,1,4,2\n2,5,9,2\n")
    return folder


def make_pyskl(folder: Path, value: float | None) -> Path:
    values = pyskl.annotations()
    if value is not None:
        values["annotations"][1]["keypoint"][:] = value
    return pyskl.dump(folder / "x.pkl", values).parent


def make_sktdd(folder: Path, value: float | None) -> Path:
    for number in (1, 2):
        empty = value is not None and number == 2
        rows = [sktdd.row(frame, 0, (value, value) if empty else (10 + frame, 20)) for frame in range(4)]
        sktdd.write(folder / f"training/trajectories/001-0{number}/00001.csv", rows)
    return folder


def make_utd_mhad(folder: Path, value: float | None) -> Path:
    utd_mhad.write(folder, "a1_s1_t1")
    utd_mhad.write(folder, "a1_s2_t1", None if value is None else np.full((20, 3, 7), value))
    return folder


LOADERS: dict[str, Callable[[Path, float | None], Path]] = {
    "ctr-gcn": make_ctr_gcn,
    "drive-act": make_drive_act,
    "ntu60": ntu60,
    "nw-ucla": make_nw_ucla,
    "pku-mmd": make_pku_mmd,
    "pyskl": make_pyskl,
    "sktdd": make_sktdd,
    "utd-mhad": make_utd_mhad,
}


def names(source: Path, dataset: str, target: Path) -> list[str]:
    prepare(dataset, source, target, strict=True)
    return Archive.open(target).clips["name"].tolist()


@pytest.mark.parametrize("dataset", LOADERS)
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_clip_that_shows_nobody_is_left_out_and_counted(tmp_path: Path, dataset: str, value: float) -> None:
    for name in ("whole", "rough"):
        (tmp_path / name).mkdir()
    whole = names(LOADERS[dataset](tmp_path / "whole", None), dataset, tmp_path / "a")
    source = LOADERS[dataset](tmp_path / "rough", value)
    report = prepare(dataset, source, tmp_path / "b", strict=True)
    assert len(report.nobody) == 1
    assert report.skipped == []
    archive = Archive.open(tmp_path / "b")
    assert archive.meta["nobody"] == report.nobody
    kept = archive.clips["name"].tolist()
    assert set() < set(kept) < set(whole)
    for name in set(whole) - set(kept):
        assert name.partition("#")[0] in report.nobody[0]
    for index in range(len(archive)):
        assert (archive.sequence(index)[..., 3] > 0).any()


@pytest.mark.parametrize("dataset", LOADERS)
def test_files_that_other_systems_leave_are_not_looked_at(tmp_path: Path, dataset: str) -> None:
    (tmp_path / "source").mkdir()
    source = LOADERS[dataset](tmp_path / "source", None)
    before = names(source, dataset, tmp_path / "a")
    for path in files_below(source):
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        ")
        aside = source / "__MACOSX" / path.relative_to(source)
        aside.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, aside)
        path.with_name(".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    assert names(source, dataset, tmp_path / "b") == before


@pytest.mark.parametrize("dataset", ["drive-act", "ntu60", "nw-ucla", "pku-mmd", "sktdd"])
def test_a_byte_order_mark_is_no_part_of_a_text(tmp_path: Path, dataset: str) -> None:
    (tmp_path / "source").mkdir()
    source = LOADERS[dataset](tmp_path / "source", None)
    before = names(source, dataset, tmp_path / "a")
    for path in files_below(source):
        path.write_bytes(BOM + path.read_bytes())
    assert names(source, dataset, tmp_path / "b") == before


# One bad label row


def test_one_bad_label_row_costs_that_row_and_is_told(tmp_path: Path) -> None:
    values = pku_mmd.frames(30, bodies=1)
    pku_mmd.write(tmp_path, "0002-L", values, "1,1,10,2\n2,eleven,20,2\n3,21,30,2\n52,1,9,2\n")
    report = prepare("pku-mmd", tmp_path, tmp_path / "a")
    # The rows keep their numbers, by which other files name them.
    assert Archive.open(tmp_path / "a").clips["name"].tolist() == ["F002V001C001L001", "F002V001C003L003"]
    assert [said.partition("0002-L.txt, ")[2][:6] for said in report.skipped] == ["line 2", "line 4"]
    with pytest.raises(DatasetError, match="line 2"):
        prepare("pku-mmd", tmp_path, tmp_path / "b", strict=True)


def test_one_bad_row_of_drive_act_costs_that_row(tmp_path: Path) -> None:
    drive_act.write_skeletons(tmp_path, list(range(20)))
    run = drive_act.RUN
    rows = [f"1,{run},0,0,9,eating,0", f"1,{run},1,9,x,drinking,0", f"1,{run},2,9,20,drinking,0"]
    drive_act.write_labels(tmp_path, rows)
    report = prepare("drive-act", tmp_path, tmp_path / "a")
    assert report.clips == 2
    assert len(report.skipped) == 1
    assert "line 3" in report.skipped[0]


def test_one_bad_annotation_of_pyskl_costs_that_one(tmp_path: Path) -> None:
    values = pyskl.annotations()
    good = values["annotations"][0]
    values["annotations"] += [
        {key: value for key, value in good.items() if key != "label"} | {"frame_dir": "S001C001P001R001A002"},
        good | {"frame_dir": "S001C001P001R001A003", "label": 10**9},
        good | {"frame_dir": None},
        7,
    ]
    report = prepare("pyskl", pyskl.dump(tmp_path / "x.pkl", values), tmp_path / "a")
    assert (report.clips, len(report.skipped)) == (3, 4)
    assert len(Archive.open(tmp_path / "a").labels) == 60


# Lists of samples to leave out

LISTED = ("F002V001C002L002", "F002V001C003L003")
FORMS = {
    "plain": "".join(f"{name}\n" for name in LISTED).encode(),
    "byte-order mark": BOM + "".join(f"{name}\r\n" for name in LISTED).encode(),
    "suffix": "".join(f"{name}.skeleton\n" for name in LISTED).encode(),
    "numbered": "".join(f"{number}. {name}\n" for number, name in enumerate(LISTED, 1)).encode(),
    "PowerShell's UTF-16": "".join(f"{name}\r\n" for name in LISTED).encode("utf-16"),
    "one line": ", ".join(LISTED).encode(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cut", [False, True], ids=["recordings", "clips"])
def test_a_list_of_samples_in_any_form(tmp_path: Path, form: str, cut: bool) -> None:
    values = pku_mmd.frames(30, bodies=1)
    source = tmp_path / "source"
    source.mkdir()
    if cut:
        for number in (1, 2, 3):
            pku_mmd.write_clip(source / f"F002V001C00{number}L00{number}.skeleton", values[:9])
    else:
        pku_mmd.write(source, "0002-L", values, "1,1,10,2\n2,11,20,2\n3,21,30,2\n")
    (tmp_path / "missing.txt").write_bytes(FORMS[form])
    report = prepare("pku-mmd", source, tmp_path / "a", options=Options(missing=tmp_path / "missing.txt"))
    assert Archive.open(tmp_path / "a").clips["name"].tolist() == ["F002V001C001L001"]
    assert (report.left_out, report.unknown, report.skipped) == (2, [], [])


def test_names_that_are_not_there_are_told(tmp_path: Path) -> None:
    make_pku_mmd(tmp_path, None)
    (tmp_path / "missing.md").write_text("F002V001C002L002\nF999V001C002L002\n")
    arguments = ["pku-mmd", tmp_path, tmp_path / "a", "--missing", tmp_path / "missing.md"]
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert "names 1 samples that are not in" in result.output
    assert "F999V001C002L002" in result.output
    assert "1 listed samples left out" in result.output
    (tmp_path / "missing.md").write_text("none of them\n")
    with pytest.raises(DatasetError, match="holds no sample name"):
        prepare("pku-mmd", tmp_path, tmp_path / "b", options=Options(missing=tmp_path / "missing.md"))


@given(
    st.lists(st.integers(0, 999), min_size=1, max_size=6),
    st.sampled_from(["", ".skeleton", ".skeleton\t2", ",", " # cut short", "\r"]),
    st.sampled_from(["", "1 ", "12) ", "- ", "\t", '"']),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
@settings(max_examples=60)
def test_names_are_found_however_they_stand_in_a_line(
    tmp_path: Path, numbers: list[int], behind: str, before: str, encoding: str
) -> None:
    wanted = {f"S001C001P001R001A{number:03d}" for number in numbers}
    path = tmp_path / "list.txt"
    path.write_bytes("".join(f"{before}{name}{behind}\n" for name in sorted(wanted)).encode(encoding))
    assert names_in(path, NTU_NAME) == wanted


# The helpers


@given(st.text(max_size=20), st.sampled_from(["utf-8-sig", "utf-16"]))
def test_text_comes_back_without_its_mark(text: str, encoding: str) -> None:
    assert decoded(text.encode(encoding)) == text.removeprefix("\ufeff") or text.startswith("\ufeff")


def test_json_nested_without_end_is_an_error_of_its_content(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="nested"):
        read_json(tmp_path / "deep.json")


def test_hidden_names() -> None:
    assert all(map(is_hidden, ("._x", ".DS_Store", "__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir", "$RECYCLE.BIN")))
    assert not any(map(is_hidden, ("x", "_x", "x.", "macosx", "thumbs.png")))


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(DatasetError, match="closed"):
        files_below(tmp_path)
