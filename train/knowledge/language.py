"""Words -> the space that a pretrained encoder's embeddings live in, by the way that its knowledge went.

Kept beside the model as language.safetensors, from where `edge-c2vl export` takes it into the bundle: a phrase that is
given years later is embedded as the captions of the pretraining were. The text encoder itself is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.utils.cache import default_cache
from train.knowledge.bank import Bank
from train.knowledge.encode import Vocabulary, encode_texts, whitened
from train.knowledge.phrases import Prompt, prompts_of
from train.knowledge.sentences import QUARTERS
from train.knowledge.spectrum import Preparation
from train.knowledge.text import KnowledgeError, TextEncoder, open_encoder
from train.model.checkpoint import LANGUAGE, CheckpointError, read_tensors, run_folder, write_tensors

# A clause that no caption holds is heard as these many that are like it most, weighted by softmax(cosine / 0.05).
HEARD, HEARD_TEMPERATURE = 20, 0.05
# So many of the pretraining's windows are remembered, to tell how sure a nearest phrase is.
SAMPLE = 256


@dataclass(frozen=True)
class Language:
    """encoder, fingerprint: the text encoder. pool: see encode.encode_captions. columns: what each of a window's K
    captions tells of; empty where they say the same in other words. joined: the K stand side by side. preparation: of
    the embeddings, joined or not. clips, words: embeddings (S, d) of some windows of the pretraining, by the trained
    encoder and by the captions."""

    encoder: str
    fingerprint: str
    pool: str
    vocabulary: Vocabulary
    preparation: Preparation
    columns: list[str] = field(default_factory=list)
    joined: bool = False
    clips: Array = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    words: Array = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    @classmethod
    def of(cls, bank: Bank, preparation: Preparation, joined: bool) -> Language | None:
        """None where the bank's captions are not known, as those of pictures."""
        if bank.vocabulary is None or bank.meta["kind"] != "language":
            return None
        meta = bank.meta
        return cls(
            meta["encoder"],
            meta.get("fingerprint", ""),
            meta.get("pool", "caption"),
            bank.vocabulary,
            preparation,
            meta.get("columns", []) if joined else [],
            joined,
        )

    @property
    def size(self) -> int:
        """Of the embeddings."""
        return int(self.preparation.matrix.shape[1])

    def save(self, path: Path) -> None:
        vocabulary, half = self.vocabulary, torch.float16
        tensors = {
            "said": torch.from_numpy(vocabulary.said.astype(np.int32)),
            "mean": torch.from_numpy(self.preparation.mean),
            # Half precision moves no cosine by more than .001, and this is what makes the file large.
            "matrix": torch.from_numpy(self.preparation.matrix).to(half),
            "clips": torch.from_numpy(self.clips).to(half),
            "words": torch.from_numpy(self.words).to(half),
        }
        if vocabulary.whitening is not None:
            tensors |= {"whitening.mean": torch.from_numpy(vocabulary.whitening.mean)}
            tensors |= {"whitening.matrix": torch.from_numpy(vocabulary.whitening.matrix)}
        about: dict[str, Any] = {name: getattr(self, name) for name in _TEXTS}
        write_tensors(path, tensors, {"kind": "language", "clauses": vocabulary.clauses} | about)

    @classmethod
    def load(cls, path: Path) -> Language:
        """Raises CheckpointError where the file is missing, damaged, or something else."""
        tensors, about = read_tensors(path)
        if about.get("kind") != "language":
            raise CheckpointError(f"{path} holds no language")
        try:
            arrays = {name: tensor.float().numpy() for name, tensor in tensors.items()}
            whitening = None
            if "whitening.mean" in arrays:
                whitening = Preparation(arrays["whitening.mean"], arrays["whitening.matrix"])
            return cls(
                vocabulary=Vocabulary(about["clauses"], arrays["said"].astype(np.int64), whitening),
                preparation=Preparation(arrays["mean"], arrays["matrix"]),
                clips=arrays["clips"],
                words=arrays["words"],
                **{name: about[name] for name in _TEXTS},
            )
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"{path} does not fit this version: {error}") from None


_TEXTS = ("encoder", "fingerprint", "pool", "columns", "joined")


class Listener:
    """A language with the text encoder that it was made by. Raises KnowledgeError where it is another one."""

    def __init__(self, language: Language, encoder: TextEncoder, cache: Path | None = None) -> None:
        if language.fingerprint != encoder.fingerprint:
            raise KnowledgeError(
                f"this model learnt the language of {language.encoder} ({language.fingerprint}), and the encoder here "
                f"is {encoder.name} ({encoder.fingerprint}): phrases need the very same"
            )
        self.language, self._encoder, self._cache = language, encoder, cache
        self._raw = encode_texts(encoder, language.vocabulary.clauses, cache=cache)  # (n, D)
        self._index = {clause: number for number, clause in enumerate(language.vocabulary.clauses)}
        vectors = self._raw
        if language.vocabulary.whitening is not None:
            vectors = whitened(vectors, language.vocabulary.whitening)
        # What all clauses have in common tells no label from another.
        self._vectors = vectors - vectors.mean(axis=0) if language.pool == "clauses" else vectors

    def nearest(self, text: str, count: int = 5) -> list[tuple[str, float]]:
        """The clauses of the pretraining's captions that are most like the text, with their cosines."""
        (cosines,) = self._encode([text]) @ self._raw.T
        return [(self.language.vocabulary.clauses[row], float(cosines[row])) for row in np.argsort(-cosines)[:count]]

    def knows(self, clause: str) -> bool:
        """Whether the pretraining's captions hold this very clause."""
        return clause in self._index

    def embed(self, labels: Mapping[str, Sequence[str]]) -> Array:
        """label -> its descriptions (the label itself, where there is none) -> (L, d), unit length: the mean of its
        prompts' embeddings. Raises UsageError where a description says nothing."""
        found = []
        for label, descriptions in labels.items():
            prompts = [prompt for text in descriptions or [label] for prompt in prompts_of(text)]
            mean = np.mean([self._prompt(prompt) for prompt in prompts], axis=0)
            length = float(np.linalg.norm(mean))
            if not length > 1e-6:
                raise UsageError(f"{label!r}: its descriptions cancel out, nothing is left to compare with")
            found.append(mean / length)
        return np.stack(found).astype(np.float32)

    def _prompt(self, prompt: Prompt) -> Array:
        if self.language.pool == "caption":
            return self._whole(prompt)
        language = self.language
        count = len(language.columns) or (language.vocabulary.said.shape[1] if language.joined else 1)
        columns = np.zeros((count, self._vectors.shape[1]), np.float32)
        for k in range(count):
            when = QUARTERS.index(language.columns[k]) if language.columns and language.columns[k] in QUARTERS else None
            anytime = not language.columns or language.columns[k] == "the whole"
            told = [clause for clause, quarter in prompt.clauses if anytime or quarter in (None, when)]
            if not told:
                continue
            counts = language.vocabulary.said  # (clauses, columns)
            said = counts[:, k] > 0 if language.joined else np.asarray(counts.any(axis=1))
            # Only what is said stands in a column; of the rest nothing is known, which is 0. The knowledge's mean is
            # not taken off: a description of a few clauses is a direction from the average clip, not a clip.
            total = self._hear(told, said).sum(axis=0)
            columns[k] = total / max(float(np.linalg.norm(total)), 1e-12)
        moved = columns.reshape(-1) @ language.preparation.matrix
        return moved / max(float(np.linalg.norm(moved)), 1e-12)

    def _whole(self, prompt: Prompt) -> Array:
        """Where captions were encoded whole, a prompt is one more caption."""
        (vector,) = self._encode([prompt.text])
        count = len(self.language.preparation.mean) // len(vector)
        return self.language.preparation.apply(np.tile(vector, count))

    def _hear(self, clauses: Sequence[str], said: NDArray[np.bool_]) -> Array:
        """The vectors (n, D) of clauses, made of those that are `said`: itself, or a mean of the most alike."""
        result = np.zeros((len(clauses), self._vectors.shape[1]), np.float32)
        rows = np.flatnonzero(said)
        for number, clause in enumerate(clauses):
            own = self._index.get(clause)
            if own is not None and said[own]:
                result[number] = self._vectors[own]
                continue
            (cosines,) = self._encode([clause]) @ self._raw[rows].T
            near = np.argsort(-cosines)[:HEARD]
            weights = np.exp((cosines[near] - cosines[near[:1]]) / HEARD_TEMPERATURE)
            result[number] = weights @ self._vectors[rows[near]] / weights.sum()
        return result

    def _encode(self, texts: list[str]) -> Array:
        return encode_texts(self._encoder, texts, cache=self._cache)


def language_of(folder: Path) -> Language:
    """The language in a run's or a bundle's folder (a model file stands for its folder). Raises UsageError where there
    is none, CheckpointError where it is damaged."""
    folder = run_folder(folder)
    if not (folder / LANGUAGE).is_file():
        raise UsageError(
            f"{folder} has no language, so words mean nothing to it: its encoder was not pretrained on captions, or "
            "was trained on as a whole since (train finetune --freeze keeps what it knows)"
        )
    return Language.load(folder / LANGUAGE)


def open_listener(language: Language, encoder: str | None = None) -> Listener:
    """encoder: `minilm` or `clip:MODEL`, where it is not found by the name that the language knows."""
    spec = encoder or ("minilm" if language.encoder == "all-MiniLM-L6-v2" else language.encoder)
    return Listener(language, _encoder(spec), default_cache() / "text")


@lru_cache(1)
def _encoder(spec: str) -> TextEncoder:
    """Loaded once for the models of all seeds."""
    return open_encoder(spec)
