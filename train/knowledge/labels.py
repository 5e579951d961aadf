"""Labels in words, made on the workstation: embedded by a language, with a temperature that fits it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_c2vl.bundle.text_labels import TextLabels
from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.skeleton import Array
from edge_c2vl.utils.scores import softmax
from train.knowledge.language import Language, Listener

# The temperatures that are tried, and what is taken where no clips of the pretraining are known.
TEMPERATURES = np.geomspace(0.01, 1.0, 81)
USUAL = 0.1


def make_words(listener: Listener, labels: Mapping[str, Sequence[str]], distraction: Sequence[str]) -> TextLabels:
    """labels: label -> descriptions (empty: itself). Raises UsageError where there are fewer than two."""
    if len(labels) < 2:
        raise UsageError(
            "a phrase is the nearest of several, so there must be two or more: add one for what else the driver does, "
            'such as "driving: both hands are at the height of a steering wheel; the head keeps still"'
        )
    unknown = [label for label in distraction if label not in labels]
    if unknown:
        raise UsageError(f"{unknown[0]!r} is to count as distraction and is no label: there are {', '.join(labels)}")
    embeddings = listener.embed(labels)
    known = {label: list(descriptions) for label, descriptions in labels.items()}
    temperature = fit_temperature(listener.language, embeddings)
    return TextLabels(list(labels), embeddings, temperature, list(distraction), known, listener.language.encoder)


def fit_temperature(language: Language, embeddings: Array) -> float:
    """The temperature at which the encoder is as sure of a phrase as it is right about it, on clips of the pretraining
    (Guo et al., ICML 2017). Labels are not needed: right is the phrase that the clip's own captions are nearest to."""
    if not len(language.clips):
        return USUAL
    right = (language.words @ embeddings.T).argmax(axis=1)
    cosines = (language.clips @ embeddings.T).astype(np.float64)
    rows = np.arange(len(right))
    losses = [-np.log(softmax(cosines / t)[rows, right] + 1e-12).mean() for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


@dataclass(frozen=True)
class Heard:
    """What a language makes of a label. clauses: those of its captions that are most like each clause of the label's
    descriptions. share: of the pretraining's clips that the encoder finds nearest to it; captions: that their captions
    do; agree: of the latter, how many the encoder finds, too."""

    label: str
    clauses: list[tuple[str, list[tuple[str, float]]]]
    share: float
    captions: float
    agree: float | None

    def to_json(self) -> dict[str, Any]:
        nearest = [
            {"said": said, "heard": [{"clause": clause, "cosine": round(cosine, 3)} for clause, cosine in near]}
            for said, near in self.clauses
        ]
        shares = {"share": round(self.share, 3), "captions": round(self.captions, 3)}
        return {"label": self.label, "nearest": nearest, **shares, "agree": self.agree and round(self.agree, 3)}


def heard(listener: Listener, words: TextLabels, count: int = 3) -> list[Heard]:
    """What becomes of each label, for the user to judge whether the model can tell it at all."""
    from train.knowledge.phrases import prompts_of

    language, found = listener.language, []
    by_clips = (language.clips @ words.embeddings.T).argmax(axis=1) if len(language.clips) else np.zeros(0, int)
    by_words = (language.words @ words.embeddings.T).argmax(axis=1) if len(language.words) else np.zeros(0, int)
    for number, label in enumerate(words.labels):
        texts = words.descriptions.get(label) or [label]
        said = dict.fromkeys(clause for text in texts for clause, _ in prompts_of(text)[0].clauses)
        nearest = [(clause, listener.nearest(clause, count)) for clause in said]
        own = by_words == number
        agree = float((by_clips[own] == number).mean()) if own.any() else None
        share, captions = (float((by == number).mean()) if len(by) else 0.0 for by in (by_clips, by_words))
        found.append(Heard(label, nearest, share, captions, agree))
    return found
