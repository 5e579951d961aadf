"""Captions -> embeddings: whole, or clause by clause.

Captions repeat themselves: every distinct text is encoded once, and kept in the user's cache under the encoder's own
fingerprint, so that an interrupted run, or the next bank, does not start again.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from edge_c2vl.errors import UsageError
from edge_c2vl.progress import track
from edge_c2vl.skeleton import Array
from train.knowledge.sentences import WHEN
from train.knowledge.spectrum import Preparation
from train.knowledge.text import Encoder

POOLS = ("caption", "clauses", "whitened")
_CLAUSE_END = re.compile(r"(?<=[.;!?])\s+")


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
    encoder: Encoder,
    captions: Iterable[Sequence[str]],
    pool: str = "caption",
    batch_size: int = 64,
    cache: Path | None = None,
) -> Array:
    """N lists of K captions -> (N, K, D) float32, unit length.

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
    pieces = [[[text] if pool == "caption" else clauses(text) for text in row] for row in rows]
    index: dict[str, int] = {}
    for row in pieces:
        for texts in row:
            for text in texts:
                index.setdefault(text, len(index))
    vectors = encode_texts(encoder, list(index), batch_size, cache)
    if pool == "whitened" and len(index) > 2:
        whitened = Preparation.fit(vectors, "whiten").apply(vectors)
        # Few clauses span fewer dimensions: the rest stay as good as 0, and not 0, so that no mean of clauses is.
        vectors = np.full_like(vectors, 1e-3)
        vectors[:, : whitened.shape[1]] += whitened
    result = np.empty((len(rows), counts.pop(), encoder.dimension), np.float32)
    for n, row in enumerate(pieces):
        for k, texts in enumerate(row):
            result[n, k] = vectors[[index[text] for text in texts]].mean(axis=0)
    result /= np.maximum(np.linalg.norm(result, axis=2, keepdims=True), 1e-12)
    return result


def encode_texts(encoder: Encoder, texts: Sequence[str], batch_size: int = 64, cache: Path | None = None) -> Array:
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


def truncated(encoder: Encoder, texts: Sequence[str], sample: int = 1000) -> float:
    """The share of the texts, judged by about `sample` of them, that are longer than the encoder reads."""
    if not texts:
        return 0.0
    some = list(texts)[:: max(len(texts) // sample, 1)]
    limit = encoder.token_limit()
    return sum(count > limit for count in encoder.count_tokens(some)) / len(some)


class _Cache:
    """text -> vector in an SQLite file of the encoder's own; nothing where no folder is named."""

    def __init__(self, folder: Path | None, encoder: Encoder) -> None:
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
