"""Captions by a large multimodal model: from an OpenAI-compatible endpoint, or a local transformers model.

What the model is sent: a prompt, and pictures without names. The sample's name can hold its class, so it never leaves
this file except into the file of results.
"""

from __future__ import annotations

import base64
import http.client
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.errors import DatasetError, UsageError
from edge_c2vl.folders import files_below
from edge_c2vl.http_client import post
from edge_c2vl.names import for_ffmpeg
from edge_c2vl.redact import redact, secret_from
from train.knowledge.text import KnowledgeError, quieten

Picture = NDArray[np.uint8]  # (H, W, 3), RGB

FRAMES = 16
PROMPT = (
    "These pictures are taken in order from one short video of a person. In one or two sentences say what the body "
    "does: which parts move, how, in which order, and what they touch. Do not describe the room or the clothes."
)
# A caption is a few hundred bytes.
MAX_ANSWER = 1 << 20
VIDEO_SUFFIXES = (".avi", ".mp4", ".mkv", ".mov", ".webm", ".m4v", ".gif")


class Videos:
    """A folder of videos, listed once. A sample's is called by its name, or its name and `_rgb` (NTU RGB+D)."""

    def __init__(self, folder: Path) -> None:
        """Raises DatasetError where there is no such folder, or no video in it, at any depth."""
        self.folder = folder
        self._paths: dict[str, list[Path]] = {}
        for path in files_below(folder):
            if path.suffix.lower() in VIDEO_SUFFIXES:
                self._paths.setdefault(path.stem.removesuffix("_rgb"), []).append(path)
        if not self._paths:
            raise DatasetError(f"{folder} is not a folder with videos ({', '.join(VIDEO_SUFFIXES)})")

    @property
    def names(self) -> list[str]:
        return sorted(self._paths)

    def find(self, name: str) -> Path:
        """Raises DatasetError where there is none of that name, or more than one."""
        found = self._paths.get(name) or self._paths.get(name.rpartition("/")[2], [])
        if len(found) != 1:
            what = "no video" if not found else f"{len(found)} videos ({found[0]}, {found[1]})"
            raise DatasetError(f"{what} of {name} in {self.folder}: expected one file such as {name}.mp4")
        return found[0]


def sample_frames(video: Path, count: int = FRAMES, longest_side: int = 512) -> list[Picture]:
    """`count` pictures evenly spread over a video, RGB, no side longer than `longest_side`; a video of fewer frames
    repeats some. Raises DatasetError where nothing comes out of it."""
    import cv2

    # Counted by reading: what a container says of its length is often wrong, and seeking by it lands elsewhere.
    reader = _open(video)
    total = 0
    while reader.grab():
        total += 1
    reader.release()
    wanted = np.linspace(0, max(total - 1, 0), count).round().astype(int).tolist()
    pictures: dict[int, Picture] = {}
    reader = _open(video)
    for index in range(total):
        if not reader.grab():
            break
        if index in wanted:
            ok, image = reader.retrieve()
            if ok:
                pictures[index] = _shrunk(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), longest_side)
    reader.release()
    if not pictures:
        raise DatasetError(f"{video} cannot be read as a video: no frame came out of it")
    # A frame that would not decode is stood in for by its nearest neighbour.
    return [pictures[min(pictures, key=lambda known: abs(known - index))] for index in wanted]


def _open(video: Path) -> Any:
    import cv2

    with for_ffmpeg(video) as target:
        return cv2.VideoCapture(target, cv2.CAP_FFMPEG)


def _shrunk(image: Picture, longest_side: int) -> Picture:
    import cv2

    share = longest_side / max(image.shape[:2])
    if share >= 1:
        return image
    size = (max(round(image.shape[1] * share), 1), max(round(image.shape[0] * share), 1))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


class Captioner(ABC):
    """Pictures -> one caption. `settings`: all that a caption depends on; kept beside it in the cache."""

    settings: dict[str, Any]

    @abstractmethod
    def caption(self, pictures: Sequence[Picture]) -> str:
        """One caption of the pictures, which belong together, in order. Raises KnowledgeError."""

    def captions(self, pictures: Sequence[Picture], per_frame: bool = False) -> list[str]:
        """One caption of all pictures, or one of each of them (as C2VL's 16 are)."""
        groups = [[picture] for picture in pictures] if per_frame else [pictures]
        return [self.caption(group) for group in groups]


@dataclass
class Endpoint(Captioner):
    """An OpenAI-compatible server (vLLM, Ollama, llama.cpp, a hosted one): POST {base_url}/chat/completions.

    key_variable: the environment variable that holds the key; without it no key is sent. A busy server (429), a fault
    of its own (5xx), a broken connection and an answer that is not whole within `timeout_s` are tried again, `retries`
    times, after 1, 2, 4 ... seconds or what its Retry-After says; any other answer, a redirect too, is an error at
    once.
    """

    base_url: str
    model: str
    prompt: str = PROMPT
    key_variable: str = "OPENAI_API_KEY"
    timeout_s: float = 120.0
    retries: int = 4
    max_tokens: int = 200
    temperature: float = 0.0
    first_wait_s: float = 1.0

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.base_url)
            whole = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            whole = False
        if not whole or "@" in self.base_url or not self.base_url.isprintable():
            raise UsageError(
                f"an endpoint is http:// or https:// with a host, and no user or password (the key goes into "
                f"{self.key_variable}), not {redact(self.base_url)!r}"
            )
        self.base_url = self.base_url.rstrip("/")
        self.settings = {"model": self.model, "prompt": self.prompt, "max_tokens": self.max_tokens}
        self.settings["temperature"] = self.temperature

    def caption(self, pictures: Sequence[Picture]) -> str:
        content: list[dict[str, Any]] = [{"type": "text", "text": self.prompt}]
        content += [{"type": "image_url", "image_url": {"url": data_url(picture)}} for picture in pictures]
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
        }
        answer = self._post(json.dumps(body).encode())
        try:
            text = json.loads(answer)["choices"][0]["message"]["content"]
            return _tidy(text)
        except (ValueError, LookupError, TypeError, AttributeError):
            raise KnowledgeError(
                f"{self._shown} answered something else than a chat completion: {answer[:200]!r}"
            ) from None

    def _post(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        key = secret_from(self.key_variable)
        if key:
            headers["Authorization"] = f"Bearer {key}"
        problem, wait_s = "", self.first_wait_s
        for attempt in range(self.retries + 1):
            try:
                answer = post(f"{self.base_url}/chat/completions", body, headers, self.timeout_s, MAX_ANSWER)
                if answer.status == 200 and not answer.cut:
                    return answer.body
                problem = f"{answer.status} {answer.reason}: {answer.body[:300].decode(errors='replace').strip()}"
                if answer.status == 200:
                    problem = f"an answer of more than {MAX_ANSWER} bytes"
                if answer.status not in (408, 409, 429) and answer.status < 500:
                    raise KnowledgeError(f"{self._shown} refused the request ({problem}){self._advice(answer.status)}")
                wait_s = max(wait_s, _retry_after(answer.headers.get("Retry-After")))
            except (OSError, http.client.HTTPException) as error:  # no connection, broken connection, time-out
                problem = str(error) or type(error).__name__
            if attempt < self.retries:
                time.sleep(wait_s)
                wait_s *= 2
        raise KnowledgeError(f"{self._shown} did not answer in {self.retries + 1} attempts ({problem})")

    def _advice(self, status: int) -> str:
        if status in (401, 403):
            return f"; is {self.key_variable} set?"
        # The key would go with it, wherever it leads.
        return "; no redirect is followed: name the endpoint itself" if 300 <= status < 400 else ""

    @property
    def _shown(self) -> str:
        return redact(self.base_url)


def _retry_after(value: str | None) -> float:
    return min(float(value), 60.0) if value and value.isdigit() else 0.0


def data_url(picture: Picture) -> str:
    """A JPEG as a data URL: no file name, no metadata."""
    import cv2

    ok, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])
    if not ok:
        raise KnowledgeError(f"a picture of shape {picture.shape} cannot be encoded as JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


class Pipeline(Captioner):
    """A local image-text-to-text model through transformers, from a folder or a hub name."""

    def __init__(self, model: str, prompt: str = PROMPT, max_tokens: int = 200) -> None:
        import torch
        from transformers import pipeline

        quieten()
        try:
            self._pipe: Any = pipeline(
                "image-text-to-text", model=model, device="cuda" if torch.cuda.is_available() else "cpu"
            )
        except Exception as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise KnowledgeError(f"no image-text-to-text model could be loaded from {model}: {reason}") from None
        self.settings = {"model": model, "prompt": prompt, "max_tokens": max_tokens, "temperature": 0.0}

    def caption(self, pictures: Sequence[Picture]) -> str:
        from PIL import Image

        content: list[dict[str, Any]] = [{"type": "image", "image": Image.fromarray(picture)} for picture in pictures]
        content.append({"type": "text", "text": self.settings["prompt"]})
        answer = self._pipe(
            text=[{"role": "user", "content": content}],
            max_new_tokens=self.settings["max_tokens"],
            generate_kwargs={"do_sample": False},
            return_full_text=False,
        )
        return _tidy(answer[0]["generated_text"])


def _tidy(text: str) -> str:
    tidy = " ".join(text.split())
    if not tidy:
        raise KnowledgeError("the model answered with an empty caption")
    return tidy
