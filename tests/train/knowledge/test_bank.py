"""The knowledge bank: what is written is read again, and what is broken or does not fit is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter
from tests.support.bodies import clip, pose
from train.knowledge.bank import Bank, BankError, read_captions, write_bank
from train.knowledge.spectrum import Preparation, effective_rank, mean_cosine, statistics, target_entropy


def embeddings(rows: int, count: int = 2, dimension: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(1, 1, (rows, count, dimension)).astype(np.float32)


def write(path: Path, names=("a", "b"), data=None, spans=None, **facts) -> None:
    data = embeddings(len(names)) if data is None else data
    spans = [[0.0, 1.0]] * len(names) if spans is None else spans
    captions = [[f"{name} one", f"{name} two"] for name in names]
    write_bank(path, names, spans, data, captions, kind="language", encoder="test", source="test", **facts)


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    write(tmp_path / "bank")
    return tmp_path / "bank"


def make_archive(path: Path, names=("a", "b")) -> Archive:
    with ArchiveWriter(path, labels=["x"], source="", licence="", source_layout="ntu25") as writer:
        for name in names:
            writer.append(name, clip((0, pose()), (2, pose()))[0], 30.0, label=0)
    return Archive.open(path)


def test_what_is_written_is_read(bank):
    opened = Bank.open(bank)
    assert opened.names == ["a", "b"]
    assert opened.embeddings.dtype == np.float32
    assert (len(opened), opened.dimension) == (2, 8)
    np.testing.assert_allclose(np.linalg.norm(opened.embeddings, axis=2), 1, atol=1e-6)
    expected = embeddings(2)
    np.testing.assert_allclose(opened.embeddings[1, 0], expected[1, 0] / np.linalg.norm(expected[1, 0]), atol=1e-6)
    assert list(opened.captions()) == [["a one", "a two"], ["b one", "b two"]]
    assert opened.meta["encoder"] == "test"


def test_no_bank_is_half_written(tmp_path):
    data = embeddings(2)
    for bad in (np.nan, np.inf, 0.0):
        broken = data.copy()
        broken[1, 1] = bad
        with pytest.raises(BankError, match="embedding of b"):
            write(tmp_path / "bank", data=broken)
    with pytest.raises(BankError, match="3 spans"):
        write(tmp_path / "bank", spans=[[0, 1]] * 3)
    with pytest.raises(BankError, match="ends before"):
        write(tmp_path / "bank", spans=[[0, 1], [1, 0]])
    with pytest.raises(ValueError, match="shorter|longer"):
        write_bank(
            tmp_path / "bank", ["a", "b"], [[0, 1]] * 2, data, [["only one"]], kind="language", encoder="", source=""
        )
    assert list(tmp_path.iterdir()) == []


def test_a_bank_is_replaced_only_when_asked(bank):
    with pytest.raises(BankError, match="--overwrite"):
        write(bank)
    write(bank, names=("c", "d"), overwrite=True)
    assert Bank.open(bank).names == ["c", "d"]
    (bank.parent / "other").mkdir()
    with pytest.raises(BankError, match="exists already"):
        write(bank.parent / "other", overwrite=True)


def test_what_is_no_bank_is_refused(tmp_path):
    with pytest.raises(BankError, match="does not exist"):
        Bank.open(tmp_path / "nothing")
    with pytest.raises(BankError, match="is not a knowledge bank"):
        Bank.open(tmp_path)


def _edit(bank: Path, change) -> None:
    tensors = load_file(bank / "bank.safetensors")
    change(tensors)
    save_file(tensors, bank / "bank.safetensors")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t: t.update(embeddings=t["embeddings"] * np.nan), "NaN"),
        (lambda t: t.update(embeddings=t["embeddings"] * 2), "unit length"),
        (lambda t: t.update(embeddings=t["embeddings"][:1]), "2 names"),
        (lambda t: t.update(embeddings=t["embeddings"].astype(np.float16)), "float16"),
        (lambda t: t.update(embeddings=t["embeddings"][:, 0]), r"not float32 \(N, K, D\)"),
        (lambda t: t.update(spans=t["spans"][:, ::-1].copy()), "ends before"),
        (lambda t: t.pop("spans"), "lacks spans"),
    ],
)
def test_damage_is_found(bank, change, match):
    _edit(bank, change)
    with pytest.raises(BankError, match=match):
        Bank.open(bank)


def test_damaged_files_are_found(bank):
    for name, text in (("bank.safetensors", "x"), ("captions.jsonl", "x"), ("bank.json", "[]"), ("bank.json", "x")):
        whole = (bank / name).read_bytes()
        (bank / name).write_text(text)
        with pytest.raises(BankError, match="damaged"):
            Bank.open(bank)
        (bank / name).write_bytes(whole)
    meta = json.loads((bank / "bank.json").read_text())
    (bank / "bank.json").write_text(json.dumps(meta | {"format_version": 99}))
    with pytest.raises(BankError, match="upgrade"):
        Bank.open(bank)


def test_a_window_has_the_label_of_most_of_its_frames(tmp_path):
    frames = clip((0, pose()), (2, pose()))[0]
    first = np.arange(len(frames)) < len(frames) // 2
    with ArchiveWriter(tmp_path / "archive", labels=["x", "y"], source="", licence="", source_layout="ntu25") as writer:
        writer.append("a", frames, 30.0, label=-1, frame_labels=np.where(first, 1, 0))
    write(tmp_path / "bank", names=("a", "a"), spans=[[0.0, 0.9], [0.8, 1.9]])
    windows, _ = Bank.open(tmp_path / "bank").windows(Archive.open(tmp_path / "archive"))
    assert windows.label.tolist() == [1, 0]


def test_windows_are_those_of_the_archive_in_its_order(tmp_path):
    spans = [[0.5, 1.0], [0.0, 1.5], [0.0, 2.0]]
    write(tmp_path / "bank", names=("b", "a", "b"), spans=spans)
    bank, archive = Bank.open(tmp_path / "bank"), make_archive(tmp_path / "archive")
    windows, rows = bank.windows(archive)
    assert windows.clip.tolist() == [0, 1, 1]
    assert rows.tolist() == [1, 0, 2]
    assert windows.start_s.tolist() == [0.0, 0.5, 0.0]
    assert windows.end_s.tolist() == [1.5, 1.0, 2.0]
    only_b, rows = bank.windows(archive, np.array([1]))
    assert only_b.clip.tolist() == [1, 1]
    assert rows.tolist() == [0, 2]


def test_missing_samples_are_named(bank, tmp_path):
    archive = make_archive(tmp_path / "archive", ("a", "c", "d"))
    with pytest.raises(BankError, match="lacks 2 of 3 samples, the first c"):
        Bank.open(bank).windows(archive)


def test_a_span_outside_its_clip_is_refused(tmp_path):
    write(tmp_path / "bank", spans=[[0.0, 1.0], [0.0, 9.0]])
    with pytest.raises(BankError, match="encode it from this archive"):
        Bank.open(tmp_path / "bank").windows(make_archive(tmp_path / "archive"))


def test_released_captions_are_read(tmp_path):
    path = tmp_path / "pkuv2_language.json"
    path.write_text(json.dumps({"A01N01V01C01L01": ["a man"] * 16}))
    assert read_captions(path) == {"A01N01V01C01L01": ["a man"] * 16}
    lines = tmp_path / "captions.jsonl"
    lines.write_text('{"name": "a", "captions": ["x"], "key": "k"}\n\n')
    assert read_captions(lines) == {"a": ["x"]}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"a": "b"}', '{"a": []}', '{"a": ["  "]}', '{"a": [1]}'])
def test_what_is_no_caption_file_is_refused(tmp_path, text):
    path = tmp_path / "captions.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"captions\.json"):
        read_captions(path)


def test_centring_takes_the_mean_off():
    data = embeddings(50)
    prepared = Preparation.fit(data, "centre").apply(data)
    assert prepared.shape == data.shape
    np.testing.assert_allclose(np.linalg.norm(prepared, axis=2), 1, atol=1e-5)
    by_hand = data - data.reshape(-1, 8).mean(axis=0)
    np.testing.assert_allclose(prepared, by_hand / np.linalg.norm(by_hand, axis=2, keepdims=True), atol=1e-5)


def test_whitening_gives_every_direction_variance_one():
    data = embeddings(400) * np.array([5, 1, 1, 1, 0.1, 1, 1, 1], np.float32)
    fitted = Preparation.fit(data, "whiten", 4)
    moved = (data.reshape(-1, 8) - fitted.mean) @ fitted.matrix
    np.testing.assert_allclose(np.cov(moved.T, bias=True), np.eye(4), atol=1e-3)
    assert fitted.apply(data).shape == (400, 2, 4)


def test_none_keeps_what_is_there():
    data = embeddings(5)
    data /= np.linalg.norm(data, axis=2, keepdims=True)
    np.testing.assert_allclose(Preparation.fit(data, "none").apply(data), data, atol=1e-6)


def test_more_dimensions_than_vary_are_refused():
    with pytest.raises(UsageError, match="vary in 2 of 8"):
        Preparation.fit(embeddings(3, 1), "whiten", 5)
    with pytest.raises(UsageError, match="all alike"):
        Preparation.fit(np.ones((4, 1, 8)), "whiten")
    with pytest.raises(UsageError, match="one of none, centre, whiten"):
        Preparation.fit(embeddings(3), "colour")


def test_statistics_by_hand():
    axes = np.eye(4, dtype=np.float32)[:, None]
    assert mean_cosine(axes) == pytest.approx(0)
    assert effective_rank(axes) == pytest.approx(4)
    assert mean_cosine(np.ones((3, 1, 4)) / 2) == pytest.approx(1)
    assert effective_rank(np.ones((3, 1, 4)) / 2) == pytest.approx(1)
    # softmax of a row of ones over 4 is uniform; of the identity at temperature 1 it is e and three ones.
    assert target_entropy(np.ones((4, 1, 4)) / 2, 1.0) == pytest.approx(np.log(4))
    share = np.e / (np.e + 3)
    rest = (1 - share) / 3
    assert target_entropy(axes, 1.0) == pytest.approx(-share * np.log(share) - 3 * rest * np.log(rest))
    assert target_entropy(axes, 0.001) == pytest.approx(0, abs=1e-9)


def test_the_table_of_statistics():
    rows = statistics(embeddings(300, 1, 16), size=8)
    assert [row["prepared"] for row in rows] == ["none", "centre", "whiten to 8"]
    assert rows[0]["mean_cosine"] > 0.2 > abs(rows[1]["mean_cosine"])
    assert rows[2]["dimensions"] == 8
    assert rows[2]["effective_rank"] == pytest.approx(8, abs=0.2)
    assert len(statistics(embeddings(3, 1, 16), size=8)) == 2  # too few to whiten: said by leaving the row out
