"""Captions -> embeddings: whole, or clause by clause.

Captions repeat themselves: every distinct text is encoded once, and kept in the user's cache under the encoder's own
fingerprint, so that an interrupted run, or the next bank, does not start again.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.utils.progress import track
from train.knowledge.sentences import WHEN
from train.knowledge.spectrum import Preparation
from train.knowledge.text import TextEncoder

POOLS = ("caption", "clauses", "whitened")
# So many different clauses are remembered; what a language model writes hardly repeats itself.
MOST_CLAUSES = 2000
_CLAUSE_END = re.compile(r"(?<=[.;!?])\s+")


@dataclass(frozen=True)
class Vocabulary:
    """What captions are made of. clauses: the distinct ones, the most frequent first; said: (n, K), in how many rows'
    k-th caption each stands; whitening: what was done to encoded clauses, with pool `whitened` only."""

    clauses: list[str]
    said: NDArray[np.int64]
    whitening: Preparation | None = None


def clauses(caption: str) -> list[str]:
    """The caption's clauses, which "; " and sentence ends divide, without when they are told to happen, each once."""
    found: dict[str, None] = {}
    for clause in _CLAUSE_END.split(caption.strip()):
        text = clause.rstrip(".;")
        when = next((word for word in WHEN if text.startswith(f"{word} ")), "")
        text = text.removeprefix(when).strip()
        if text:
            found[text[0].upper() + text[1:] + "."] = None
    return list(found) or [caption]


def encode_captions(
    encoder: TextEncoder,
    captions: Iterable[Sequence[str]],
    pool: str = "caption",
    batch_size: int = 64,
    cache: Path | None = None,
) -> tuple[Array, Vocabulary]:
    """N lists of K captions -> (N, K, D) float32, unit length; and what they are made of.

    pool: `caption` encodes every caption as one text; `clauses` encodes each distinct clause and takes their mean,
    which costs a data set of any size little more than its vocabulary; `whitened` does so with clauses whitened over
    that vocabulary: sentence encoders find "the right hand rises" and "the left hand rises" all but the same, and a
    mean of such tells little. cache: the folder for encoded texts; None:
    nothing is kept. Raises UsageError where samples have unlike numbers of captions.
    """
    if pool not in POOLS:
        raise UsageError(f"captions are pooled by {' or '.join(POOLS)}, not {pool!r}")
    rows = [list(said) for said in captions]
    counts = {len(row) for row in rows}
    if len(counts) != 1 or 0 in counts:
        raise UsageError(f"every sample needs equally many captions, at least one; here they have {sorted(counts)}")
    split = [[clauses(text) for text in row] for row in rows]
    pieces = [[[text] for text in row] for row in rows] if pool == "caption" else split
    index: dict[str, int] = {}
    for row in pieces:
        for texts in row:
            for text in texts:
                index.setdefault(text, len(index))
    vectors = encode_texts(encoder, list(index), batch_size, cache)
    whitening = None
    if pool == "whitened" and len(index) > 2:
        whitening = Preparation.fit(vectors, "whiten")
        vectors = whitened(vectors, whitening)
    result = np.empty((len(rows), counts.pop(), encoder.dimension), np.float32)
    for n, row in enumerate(pieces):
        for k, texts in enumerate(row):
            result[n, k] = vectors[[index[text] for text in texts]].mean(axis=0)
    result /= np.maximum(np.linalg.norm(result, axis=2, keepdims=True), 1e-12)
    return result, Vocabulary(*_count(split, result.shape[1]), whitening)


def whitened(vectors: Array, whitening: Preparation) -> Array:
    """Encoded clauses (n, D) -> (n, D), unlike each other."""
    white = whitening.apply(vectors)
    # Few clauses span fewer dimensions: the rest stay as good as 0, and not 0, so that no mean of clauses is.
    result = np.full_like(vectors, 1e-3)
    result[:, : white.shape[1]] += white
    return result


def _count(split: list[list[list[str]]], columns: int) -> tuple[list[str], NDArray[np.int64]]:
    counts: dict[str, list[int]] = {}
    for row in split:
        for k, texts in enumerate(row):
            for text in texts:
                counts.setdefault(text, [0] * columns)[k] += 1
    found = sorted(counts.items(), key=lambda item: -sum(item[1]))[:MOST_CLAUSES]
    return [text for text, _ in found], np.array([said for _, said in found], np.int64).reshape(-1, columns)


def encode_texts(encoder: TextEncoder, texts: Sequence[str], batch_size: int = 64, cache: Path | None = None) -> Array:
    """Distinct texts -> (n, D). What the cache holds is not encoded again; each batch is kept when it is done."""
    result = np.empty((len(texts), encoder.dimension), np.float32)
    store = _Cache(cache, encoder)
    try:
        missing = []
        for row, text in enumerate(texts):
            kept = store.get(text)
            if kept is None:
                missing.append(row)
            else:
                result[row] = kept
        # Of like length together: a batch is padded to its longest.
        missing.sort(key=lambda row: (len(texts[row]), row))
        batches = [missing[start : start + batch_size] for start in range(0, len(missing), batch_size)]
        for rows in track(batches, f"encoding {len(missing)} texts"):
            result[rows] = encoder.encode([texts[row] for row in rows])
            store.put([texts[row] for row in rows], result[rows])
    finally:
        store.close()
    return result


def truncated(encoder: TextEncoder, texts: Sequence[str], sample: int = 1000) -> float:
    """The share of the texts, judged by about `sample` of them, that are longer than the encoder reads."""
    if not texts:
        return 0.0
    some = list(texts)[:: max(len(texts) // sample, 1)]
    limit = encoder.token_limit()
    return sum(count > limit for count in encoder.count_tokens(some)) / len(some)


class _Cache:
    """text -> vector in an SQLite file of the encoder's own; nothing where no folder is named."""

    def __init__(self, folder: Path | None, encoder: TextEncoder) -> None:
        self._size = encoder.dimension * 4
        self._db: sqlite3.Connection | None = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(folder / f"{encoder.fingerprint}.sqlite", timeout=60)
            self._db.execute("CREATE TABLE IF NOT EXISTS vectors (text BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")

    @staticmethod
    def _key(text: str) -> bytes:
        return hashlib.blake2b(text.encode(), digest_size=16).digest()

    def get(self, text: str) -> Array | None:
        if self._db is None:
            return None
        row = self._db.execute("SELECT vector FROM vectors WHERE text = ?", (self._key(text),)).fetchone()
        return np.frombuffer(row[0], np.float32) if row and len(row[0]) == self._size else None

    def put(self, texts: Sequence[str], vectors: Array) -> None:
        if self._db is not None:
            rows = [(self._key(text), vector.tobytes()) for text, vector in zip(texts, vectors, strict=True)]
            with self._db:
                self._db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
