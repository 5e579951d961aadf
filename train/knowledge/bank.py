"""The knowledge bank: frozen embeddings of what is known of each sample, made once and read by training.

A folder of

    bank.json            format_version, kind (language or vision), encoder, source, and how else it was made
    bank.safetensors     embeddings float32 (N, K, D), unit length; spans float64 (N, 2), seconds in the clip's time
    captions.jsonl       a line a row: {"name", "captions": [K of them]}; for vision how the frames were taken
    clauses.json         language: the distinct clauses of the captions, and in how many rows' k-th caption each stands
    varied/              a skeleton archive: the clips and the variations of them that it knows too (see vary.py)

A row is one window of a clip: the whole of it, or a crop, whose captions then tell of that crop alone. The name is the
clip's in its archive; K captions (or frames) say the same thing in other ways, and training draws one of them.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.names import utf8_name
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.skeletons.windows import Windows, label_of
from edge_c2vl.utils.arrays import ERRORS, most_unpacked
from edge_c2vl.utils.atomic import exists_already, is_hidden, put_in_place, temporary_beside
from edge_c2vl.utils.texts import decoded, read_text, why_unread
from train.knowledge.encode import Vocabulary
from train.knowledge.spectrum import Preparation

FORMAT_VERSION = 1
KINDS = ("language", "vision")
VARIED = "varied"
_META = ("kind", "encoder", "source")
_CHECKED_AT_ONCE = 65_536


class BankError(EdgeC2VLError):
    """A knowledge bank is missing, damaged, or does not fit the samples that are asked for."""


class Bank:
    """A bank opened for reading. names: (N,); spans: (N, 2); embeddings: (N, K, D).

    vocabulary: None where the bank has none: pictures, or captions encoded by an older version."""

    def __init__(
        self,
        path: Path,
        meta: dict[str, Any],
        names: list[str],
        spans: NDArray[np.float64],
        data: Array,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        self.path, self.meta, self.names, self.spans, self.embeddings = path, meta, names, spans, data
        self.vocabulary = vocabulary

    @classmethod
    def open(cls, path: str | Path) -> Bank:
        """Raises BankError where there is no bank, or it is damaged: another shape, NaN, or not of unit length."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = Path(path)
        if not (path / "bank.json").is_file():
            what = "is not a knowledge bank (no bank.json)" if path.exists() else "does not exist"
            raise BankError(f"{path} {what}: make one with edge-c2vl knowledge encode ARCHIVE {path}")
        try:
            meta = json.loads((path / "bank.json").read_text("utf-8"))
            with utf8_name(path / "bank.safetensors") as name:
                tensors = load_file(name)
            names = [line["name"] for line in _read_lines(path / "captions.jsonl")]
            vocabulary = _read_vocabulary(path, tensors)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise _damaged(path, f"{type(error).__name__}: {error}") from None
        if not isinstance(meta, dict) or not isinstance(meta.get("format_version"), int):
            raise _damaged(path, "bank.json names no format version")
        if meta["format_version"] > FORMAT_VERSION:
            raise BankError(
                f"bank {path} has format {meta['format_version']}, this version reads up to {FORMAT_VERSION}: "
                "upgrade with pip install -U edge-c2vl"
            )
        missing = [key for key in _META if key not in meta] + [k for k in ("embeddings", "spans") if k not in tensors]
        if missing:
            raise _damaged(path, f"it lacks {', '.join(missing)}")
        problem = _problem(names, tensors["embeddings"], tensors["spans"])
        if problem:
            raise _damaged(path, problem)
        return cls(path, meta, names, tensors["spans"], tensors["embeddings"], vocabulary)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def varied(self) -> Archive | None:
        """The archive of the clips and their variations, where the bank was made of such."""
        return Archive.open(self.path / VARIED) if (self.path / VARIED / "meta.json").is_file() else None

    @property
    def dimension(self) -> int:
        return int(self.embeddings.shape[2])

    def captions(self) -> Iterator[list[str]]:
        """The captions of each row, in order, read from the file as they are asked for."""
        for line in _read_lines(self.path / "captions.jsonl"):
            yield line["captions"]

    def rows_of(self, name: str) -> NDArray[np.int64]:
        """The rows of one clip."""
        return np.flatnonzero(np.array(self.names) == name)

    def windows(self, archive: Archive, rows: NDArray[np.int64] | None = None) -> tuple[Windows, NDArray[np.int64]]:
        """The windows of `archive` (of its `rows`; all where None) that this bank knows, and the bank row of each.

        Order: the archive's clips, then the bank's rows. Raises BankError, with their number and the first of them,
        where clips are not in the bank, or a span lies outside its clip.
        """
        chosen = np.arange(len(archive)) if rows is None else np.asarray(rows)
        wanted = archive.clips["name"].astype(str).to_numpy()[chosen]
        of_name: dict[str, list[int]] = {}
        for index, name in enumerate(self.names):
            of_name.setdefault(name, []).append(index)
        lacking = [name for name in wanted if name not in of_name]
        if lacking:
            raise BankError(
                f"bank {self.path} lacks {len(lacking)} of {len(wanted)} samples, the first {lacking[0]}: "
                f"encode it from {archive.path}"
            )
        labels = archive.clips["label"].to_numpy()
        windows, found = [], []
        for row, name in zip(chosen.tolist(), wanted, strict=True):
            stamps, of_frames = archive.timestamps(row), archive.frame_labels(row)
            for index in of_name[name]:
                start_s, end_s = self.spans[index]
                if start_s < stamps[0] - 1e-3 or end_s > stamps[-1] + 1e-3:
                    raise BankError(
                        f"bank {self.path} speaks of {start_s:.2f} to {end_s:.2f} s of {name}, which lasts from "
                        f"{stamps[0]:.2f} to {stamps[-1]:.2f} s in {archive.path}: encode it from this archive"
                    )
                windows.append((row, start_s, end_s, label_of(int(labels[row]), of_frames, stamps, start_s, end_s)))
                found.append(index)
        return Windows.make(windows), np.array(found, np.int64)


def write_bank(
    path: str | Path,
    names: Sequence[str],
    spans: ArrayLike,
    embeddings: ArrayLike,
    captions: Iterable[list[str]],
    *,
    kind: str,
    encoder: str,
    source: str,
    vocabulary: Vocabulary | None = None,
    varied: Path | None = None,
    overwrite: bool = False,
    **facts: Any,
) -> None:
    """Writes a bank that appears at `path` only when it is whole. varied: an archive that is moved into it.

    names: (N,); spans: (N, 2), seconds; embeddings: (N, K, D), scaled to unit length here; captions: N lists.
    Raises BankError where something does not fit together, and where `path` exists (with overwrite: is no bank).
    """
    from safetensors.numpy import save_file

    path = Path(path)
    if path.exists() and not (overwrite and (path / "bank.json").is_file()):
        raise BankError(exists_already(path, path / "bank.json"))
    if kind not in KINDS:
        raise ValueError(f"a bank's kind is one of {KINDS}, not {kind!r}")
    data = np.array(embeddings, np.float32)
    where = np.asarray(spans, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        data /= np.linalg.norm(data, axis=-1, keepdims=True)
    problem = _problem(list(names), data, where)
    if problem:
        raise BankError(f"no bank is written at {path}: {problem}")
    folder = temporary_beside(path)
    try:
        with (folder / "captions.jsonl").open("w", encoding="utf-8") as file:
            for name, said in zip(names, captions, strict=True):
                file.write(json.dumps({"name": name, "captions": list(said)}, ensure_ascii=False) + "\n")
        tensors: dict[str, NDArray[Any]] = {"embeddings": data, "spans": where}
        if vocabulary is not None:
            values = {"clauses": vocabulary.clauses, "said": vocabulary.said.tolist()}
            (folder / "clauses.json").write_text(json.dumps(values, ensure_ascii=False) + "\n", "utf-8")
            if vocabulary.whitening is not None:
                tensors |= {
                    "whitening.mean": vocabulary.whitening.mean,
                    "whitening.matrix": vocabulary.whitening.matrix,
                }
        with utf8_name(folder / "bank.safetensors") as name:
            save_file(tensors, name)
        if varied is not None:
            shutil.move(varied, folder / VARIED)
        meta = {"format_version": FORMAT_VERSION, "kind": kind, "encoder": encoder, "source": source, **facts}
        (folder / "bank.json").write_text(json.dumps(meta, indent=1, ensure_ascii=False) + "\n", "utf-8")
        put_in_place(folder, path)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _problem(names: list[str], embeddings: Array, spans: NDArray[np.float64]) -> str:
    """What is wrong with the arrays; empty where nothing is."""
    if embeddings.ndim != 3 or embeddings.dtype != np.float32 or 0 in embeddings.shape:
        return f"its embeddings are {embeddings.dtype} {embeddings.shape}, not float32 (N, K, D)"
    if spans.shape != (len(embeddings), 2) or len(names) != len(embeddings):
        return f"it has {len(names)} names and {len(spans)} spans for {len(embeddings)} embeddings"
    if not np.isfinite(spans).all() or (spans[:, 0] > spans[:, 1]).any():
        return "a span ends before it starts"
    for start in range(0, len(embeddings), _CHECKED_AT_ONCE):
        lengths = np.linalg.norm(embeddings[start : start + _CHECKED_AT_ONCE], axis=2)
        bad = ~(np.abs(lengths - 1) < 1e-3)  # NaN is bad as well
        if bad.any():
            row = start + int(np.argmax(bad.any(axis=1)))
            return f"an embedding of {names[row]} is NaN, infinite or not of unit length"
    return ""


def _damaged(path: Path, why: str) -> BankError:
    return BankError(f"knowledge bank {path} is damaged ({why}): make it again with edge-c2vl knowledge encode")


def _read_vocabulary(path: Path, tensors: dict[str, Any]) -> Vocabulary | None:
    if not (path / "clauses.json").is_file():
        return None
    values = json.loads((path / "clauses.json").read_text("utf-8"))
    said = np.array(values["said"], np.int64)
    if said.shape != (len(values["clauses"]), tensors["embeddings"].shape[1]):
        raise ValueError("clauses.json does not fit the embeddings")
    whitening = None
    if "whitening.mean" in tensors:
        whitening = Preparation(tensors["whitening.mean"], tensors["whitening.matrix"])
    return Vocabulary(values["clauses"], said, whitening)


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def read_captions(path: str | Path) -> dict[str, list[str]]:
    """Captions from a file: JSON {sample name: [captions]} as C2VL's authors released them (pkuv2_language.json, 16 a
    sample), that file in a .zip, or JSON lines as `knowledge caption` keeps them. Raises UsageError where it is
    anything else."""
    path = Path(path)
    try:
        name, text = _only_json(path) if path.suffix.lower() == ".zip" else (path.name, read_text(path))
        if name.endswith(".jsonl"):
            lines = [json.loads(line) for line in text.splitlines() if line.strip()]
            captions = {line["name"]: line["captions"] for line in lines}
        else:
            captions = json.loads(text)
    except ERRORS as error:
        raise UsageError(f"{path} cannot be read as captions: {why_unread(error)}") from None
    if not isinstance(captions, dict) or not captions:
        raise UsageError(f'{path} holds no captions: expected JSON such as {{"sample": ["caption", ...]}}')
    for name, said in captions.items():
        if not isinstance(said, list) or not said or not all(isinstance(text, str) and text.strip() for text in said):
            raise UsageError(f"{path}: the captions of {name} are not a list of texts, or one is empty")
    return {name.removesuffix(".skeleton"): said for name, said in captions.items()}


def _only_json(path: Path) -> tuple[str, str]:
    """Name and text of the one file of captions in a .zip; what macOS adds is passed over. Raises ERRORS."""
    with zipfile.ZipFile(path) as archive:
        found = [
            info
            for info in archive.infolist()
            if info.filename.endswith((".json", ".jsonl")) and not any(map(is_hidden, info.filename.split("/")))
        ]
        if len(found) != 1:
            names = ", ".join(info.filename for info in found[:5])
            raise ValueError(f"it holds {len(found)} JSON files ({names}): unpack it and name one")
        if found[0].file_size > most_unpacked(path.stat().st_size):
            raise ValueError(f"{found[0].filename} would unpack to {found[0].file_size} bytes")
        return found[0].filename, decoded(archive.read(found[0]))
