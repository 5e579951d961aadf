"""Knowledge of an archive -> a bank: which windows, what is said of each, and how that is encoded."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.archive import Archive
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.skeletons.windows import Windows, sliding, whole_clips
from edge_c2vl.utils.atomic import exists_already, temporary_beside
from edge_c2vl.utils.progress import track
from train.knowledge.bank import VARIED, BankError, read_captions, write_bank
from train.knowledge.encode import encode_captions
from train.knowledge.kinematics import Describer, crop_spans
from train.knowledge.sentences import FACTS, columns
from train.knowledge.text import TextEncoder
from train.knowledge.vary import PLAIN, vary


@dataclass(frozen=True)
class BankSettings:
    """source: `kinematic`, a file of captions, or `video:FOLDER` (pictures, encoded by a CLIP). crops: random temporal
    crops of each clip beside the whole of it, each with its own captions. seconds: windows of that length every hop_s
    instead (long recordings); a recording that is shorter is one window. variations: of each clip, see vary.py; the
    bank keeps their skeletons. parts: also a caption of each part of the body. quarters: also all that holds in each
    quarter of the window, and of its course. told: also what the archive's column `told` says is done, as simulated
    drivers have it; of a recording of which nothing is told, the caption of the whole once more. facts: most clauses
    of a caption."""

    source: str = "kinematic"
    crops: int = 0
    seconds: float = 0.0
    hop_s: float = 1.0
    variations: int = 0
    parts: bool = False
    quarters: bool = False
    told: bool = False
    facts: int = FACTS
    pool: str = "caption"
    frames: int = 16
    skip_missing: bool = False

    def __post_init__(self) -> None:
        if self.source != "kinematic" and (
            self.crops or self.seconds or self.variations or self.parts or self.quarters or self.told
        ):
            raise UsageError(
                "--crops, --seconds, --variations, --parts, --quarters and --told need captions of each window: "
                "--source kinematic"
            )
        if self.told and (self.crops or self.variations):
            raise UsageError("--told says what is done in a recording as it is: without --crops and --variations")
        if self.crops and self.seconds:
            raise UsageError("--crops cuts recordings of one action, --seconds long drives: say one of them")


def choose_windows(archive: Archive, recipe: BankSettings) -> Windows:
    """The windows that become the bank's rows, clip by clip: the whole clip first, then its crops."""
    whole = whole_clips(archive)
    if recipe.seconds:
        windows = sliding(archive, None, recipe.seconds, recipe.hop_s)
        short = whole[~np.isin(whole.clip, windows.clip)]
        joined = [np.concatenate(pair) for pair in zip(vars(windows).values(), vars(short).values(), strict=True)]
        return Windows(*joined)[np.argsort(joined[0], kind="stable")]
    if not recipe.crops:
        return whole
    names = archive.clips["name"].astype(str).to_numpy()
    rows = []
    for row in range(len(whole)):
        start_s, end_s = whole.start_s[row], whole.end_s[row]
        spans = [(start_s, end_s), *crop_spans(names[row], start_s, end_s, recipe.crops).tolist()]
        rows += [(int(whole.clip[row]), *span, int(whole.label[row])) for span in spans]
    return Windows.make(rows)


def make_bank(
    archive: Archive,
    path: Path,
    recipe: BankSettings,
    encoder: TextEncoder,
    batch_size: int = 64,
    cache: Path | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Writes the bank; returns its facts. Raises UsageError and BankError before anything slow begins where it can."""
    if path.exists() and not overwrite:
        raise BankError(exists_already(path, path / "bank.json"))
    if recipe.variations:
        plain, arms = min(recipe.variations, len(PLAIN)), max(recipe.variations - len(PLAIN), 0)
        beside = temporary_beside(path)
        try:
            vary(archive, beside / VARIED, plain=plain, arms=arms)
            return _make(Archive.open(beside / VARIED), path, recipe, encoder, batch_size, cache, overwrite)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return _make(archive, path, recipe, encoder, batch_size, cache, overwrite)


def _make(
    archive: Archive,
    path: Path,
    recipe: BankSettings,
    encoder: TextEncoder,
    batch_size: int,
    cache: Path | None,
    overwrite: bool,
) -> dict[str, Any]:
    windows = choose_windows(archive, recipe)
    facts: dict[str, Any] = {}
    vocabulary = None
    if recipe.source.startswith("video:"):
        windows, embeddings, captions = _from_videos(archive, windows, recipe, encoder)
        kind, facts["frames"] = "vision", recipe.frames
    else:
        windows, captions = _captions(archive, windows, recipe)
        embeddings, vocabulary = encode_captions(encoder, captions, recipe.pool, batch_size, cache)
        kind, facts["pool"] = "language", recipe.pool
    if recipe.source == "kinematic":
        facts |= {"crops": recipe.crops, "seconds": recipe.seconds, "hop_s": recipe.hop_s, "facts": recipe.facts}
        facts |= {
            "variations": recipe.variations,
            "parts": recipe.parts,
            "quarters": recipe.quarters,
            "columns": columns(recipe.parts, recipe.quarters, recipe.told),
        }
    names = archive.clips["name"].astype(str).to_numpy()[windows.clip].tolist()
    spans = np.stack([windows.start_s, windows.end_s], axis=1)
    source = recipe.source if recipe.source == "kinematic" else Path(recipe.source.removeprefix("video:")).name
    write_bank(
        path,
        names,
        spans,
        embeddings,
        captions,
        kind=kind,
        encoder=encoder.name,
        source=source,
        vocabulary=vocabulary,
        varied=archive.path if recipe.variations else None,
        overwrite=overwrite,
        fingerprint=encoder.fingerprint,
        **facts,
    )
    return {
        "rows": len(names),
        "clips": len(archive),
        "per_row": embeddings.shape[1],
        "dimension": encoder.dimension,
        "kind": kind,
        "encoder": encoder.name,
        "fingerprint": encoder.fingerprint,
    }


def _captions(archive: Archive, windows: Windows, recipe: BankSettings) -> tuple[Windows, list[list[str]]]:
    if recipe.source == "kinematic":
        described = Describer(archive).captions(windows, recipe.parts, recipe.facts, recipe.quarters)
        said = list(track(described, "describing", len(windows)))
        if recipe.told:
            told = _told(archive)[windows.clip]
            said = [[*of_it, done or of_it[0]] for of_it, done in zip(said, told, strict=True)]
        return windows, said
    known = read_captions(recipe.source)
    names = archive.clips["name"].astype(str).to_numpy()[windows.clip]
    # Two bodies of one sample (NAME and NAME#1) were in one video, so they share its captions.
    found = [known.get(name) or known.get(name.partition("#")[0]) for name in names]
    kept = _kept([said is not None for said in found], names.tolist(), recipe)
    rows = [said for said in found if said is not None]
    least = min(map(len, rows))
    return windows[kept], [said[:least] for said in rows]


def _told(archive: Archive) -> np.ndarray:
    """What is done in each recording; an empty text where nothing is told. Raises UsageError where that is all."""
    told = archive.clips["told"].fillna("").astype(str).to_numpy() if "told" in archive.clips.columns else np.array([])
    if not any(told):
        raise UsageError(f"--told: {archive.path} tells of no recording what is done; simulate-clips' archives do")
    return told


def _from_videos(
    archive: Archive, windows: Windows, recipe: BankSettings, encoder: TextEncoder
) -> tuple[Windows, Array, list[list[str]]]:
    from edge_c2vl.errors import DatasetError
    from train.knowledge.caption import Videos, sample_frames

    videos = Videos(Path(recipe.source.removeprefix("video:")))
    names = archive.clips["name"].astype(str).to_numpy()[windows.clip].tolist()
    encoded: list[Array | None] = []
    for name in track(names, "encoding videos"):
        try:
            pictures = sample_frames(videos.find(name.partition("#")[0]), recipe.frames)
            encoded.append(encoder.encode_images(pictures))
        except DatasetError:
            if not recipe.skip_missing:
                raise
            encoded.append(None)
    kept = _kept([vectors is not None for vectors in encoded], names, recipe)
    rows = [vectors for vectors in encoded if vectors is not None]
    said = [f"frame {index + 1} of {recipe.frames}" for index in range(recipe.frames)]
    return windows[kept], np.stack(rows), [said] * len(rows)


def _kept(there: list[bool], names: list[str], recipe: BankSettings) -> np.ndarray:
    """Which rows are kept. Raises BankError where samples are lacking and that was not allowed."""
    lacking = [name for name, known in zip(names, there, strict=True) if not known]
    if len(lacking) == len(names) or (lacking and not recipe.skip_missing):
        raise BankError(
            f"{recipe.source} lacks {len(lacking)} of {len(names)} samples, the first {lacking[0]}"
            + ("" if len(lacking) == len(names) else "; --skip-missing leaves them out")
        )
    return np.array(there)
