"""Captions by a large multimodal model: an endpoint on 127.0.0.1, a tiny local model; names never reach either."""

from __future__ import annotations

import base64
import json
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_c2vl.errors import DatasetError, EdgeC2VLError, UsageError
from tests.support import hostile
from tests.support.captions import Answer, Server, completion, write_video
from tests.support.tiny_models import save_vision_language_model
from train.knowledge.caption import PROMPT, Endpoint, LocalCaptioner, Videos, data_url, sample_frames
from train.knowledge.collect import collect
from train.knowledge.text import KnowledgeError


def endpoint(server: Server, **options) -> Endpoint:
    return Endpoint(server.url, "test-model", first_wait_s=0.01, **options)


PICTURES = [np.full((24, 32, 3), (shade, shade // 2, 30), np.uint8) for shade in (0, 120, 250)]


def test_the_request_is_the_protocol_s(server, monkeypatch):
    monkeypatch.setenv("MY_KEY", "secret")
    server.answer = lambda *_: completion("  He waves\n with the right hand. ")
    assert endpoint(server, key_variable="MY_KEY").caption(PICTURES) == "He waves with the right hand."
    (request,) = server.requests
    assert server.raw[0].startswith(b"/v1/chat/completions")
    assert server.headers[0]["Authorization"] == "Bearer secret"
    assert request["model"] == "test-model"
    assert request["temperature"] == 0
    (message,) = request["messages"]
    text, *images = message["content"]
    assert text == {"type": "text", "text": PROMPT}
    for image, sent in zip(images, PICTURES, strict=True):
        kind, _, data = image["image_url"]["url"].partition(",")
        assert kind == "data:image/jpeg;base64"
        decoded = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        np.testing.assert_allclose(decoded[..., ::-1].mean(axis=(0, 1)), sent.mean(axis=(0, 1)), atol=12)


def test_no_key_no_header(server, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    endpoint(server).caption(PICTURES)
    assert "Authorization" not in server.headers[0]


@pytest.mark.parametrize(
    "first", [(429, {"Retry-After": "0"}, b"busy"), (500, {}, b"fault"), (503, {}, b""), (0, {}, b"")]
)
def test_a_busy_or_broken_server_is_asked_again(server, first):
    server.answer = lambda number, _: first if number < 2 else completion("Done.")
    assert endpoint(server).caption(PICTURES) == "Done."
    assert len(server.requests) == 3


def test_a_server_that_stays_broken_is_an_error(server):
    server.answer = lambda *_: (503, {}, b"overloaded")
    with pytest.raises(KnowledgeError, match=r"did not answer in 3 attempts \(503 .*overloaded"):
        endpoint(server, retries=2).caption(PICTURES)
    assert len(server.requests) == 3


def test_a_slow_server_times_out(server):
    release = threading.Event()

    def slow(*_: object) -> Answer:
        release.wait(10)
        return completion("too late")

    server.answer = slow
    with pytest.raises(KnowledgeError, match="timed out"):
        endpoint(server, retries=1, timeout_s=0.2).caption(PICTURES)
    release.set()


def test_a_refusal_is_not_tried_again(server):
    server.answer = lambda *_: (401, {}, b'{"error": "no key"}')
    with pytest.raises(KnowledgeError, match=r"refused .*no key.*is OPENAI_API_KEY set"):
        endpoint(server).caption(PICTURES)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer", [b"", b"<html>", b"[]", b'{"choices": []}', b'{"choices": [{"message": {"content": null}}]}']
)
def test_an_answer_that_is_no_completion_is_an_error(server, answer):
    server.answer = lambda *_: (200, {}, answer)
    with pytest.raises(KnowledgeError, match="something else"):
        endpoint(server).caption(PICTURES)


def test_an_empty_caption_is_an_error(server):
    server.answer = lambda *_: completion("  ")
    with pytest.raises(KnowledgeError, match="empty caption"):
        endpoint(server).caption(PICTURES)


def test_no_server_and_no_url():
    with pytest.raises(KnowledgeError, match="did not answer in 1 attempts"):
        Endpoint("http://127.0.0.1:9", "m", retries=0).caption(PICTURES)
    with pytest.raises(UsageError, match="http://"):
        Endpoint("localhost:8000", "m")


def test_a_caption_of_each_picture_or_of_all(server):
    assert endpoint(server).captions(PICTURES) == ["Caption 0."]
    assert endpoint(server).captions(PICTURES, per_frame=True) == ["Caption 1.", "Caption 2.", "Caption 3."]
    assert [len(request["messages"][0]["content"]) for request in server.requests] == [4, 2, 2, 2]


def test_frames_are_spread_over_the_video(tmp_path):
    frames = sample_frames(write_video(tmp_path / "a.avi"), 4)
    assert [picture.shape for picture in frames] == [(48, 64, 3)] * 4
    blue = [float(picture[..., 2].mean()) for picture in frames]  # RGB: blue is the last
    np.testing.assert_allclose(blue, np.array([0, 10, 19, 29]) * 8, atol=6)
    assert max(max(picture.shape) for picture in sample_frames(tmp_path / "a.avi", 2, longest_side=32)) == 32


def test_a_short_video_repeats_frames(tmp_path):
    assert len(sample_frames(write_video(tmp_path / "a.avi", 3), 16)) == 16


def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "a.avi").write_bytes(b"nothing")
    with pytest.raises(DatasetError, match="no frame came out"):
        sample_frames(tmp_path / "a.avi")


def test_videos_are_found_by_name(tmp_path):
    folder = tmp_path / "videos"
    write_video(folder / "x" / "S001_rgb.avi")
    write_video(folder / "b.avi")
    videos = Videos(folder)
    assert videos.names == ["S001", "b"]
    assert videos.find("S001").name == "S001_rgb.avi"
    assert videos.find("train/b").name == "b.avi"
    with pytest.raises(DatasetError, match="no video of c"):
        videos.find("c")
    with pytest.raises(DatasetError, match="not a folder"):
        Videos(tmp_path / "nowhere")
    twice = tmp_path / "twice"
    write_video(twice / "x" / "b.avi")
    write_video(twice / "y" / "b.avi")
    with pytest.raises(DatasetError, match="2 videos"):
        Videos(twice).find("b")


def test_work_is_kept_and_gone_on_with(tmp_path):
    output = tmp_path / "captions.json"
    asked: list[str] = []

    def make(name: str) -> list[str]:
        asked.append(name)
        if name == "c" and asked.count("c") == 1:
            raise KeyboardInterrupt
        return [f"of {name}"]

    with pytest.raises(KeyboardInterrupt):
        collect(["a", "b", "c", "d"], make, output, {"model": "m"})
    assert not output.exists()
    kept = [json.loads(line)["name"] for line in (tmp_path / "captions.json.jsonl").read_text().splitlines()]
    assert set(kept) <= {"a", "b", "d"}
    asked_before = len(asked)
    captions, failed = collect(["a", "b", "c", "d"], make, output, {"model": "m"})
    assert captions == {name: [f"of {name}"] for name in "abcd"} == json.loads(output.read_text())
    assert list(json.loads(output.read_text())) == list("abcd")
    assert failed == {}
    assert not set(asked[asked_before:]) & set(kept)


def test_other_settings_start_again(tmp_path):
    output, asked = tmp_path / "captions.json", []

    def make(name: str) -> list[str]:
        asked.append(name)
        return [str(len(asked))]

    collect(["a"], make, output, {"model": "m"})
    collect(["a"], make, output, {"model": "m"})
    assert asked == ["a"]
    captions, _ = collect(["a"], make, output, {"model": "other"})
    assert captions == {"a": ["2"]}


def test_a_line_cut_off_by_a_crash_is_made_again(tmp_path):
    output = tmp_path / "captions.json"
    collect(["a", "b"], lambda name: [name], output, {})
    lines = tmp_path / "captions.json.jsonl"
    lines.write_bytes(lines.read_bytes()[:-10])
    asked: list[str] = []
    captions, _ = collect(["a", "b"], lambda name: asked.append(name) or [name], output, {})
    assert captions == {"a": ["a"], "b": ["b"]}
    assert len(asked) == 1
    assert all(json.loads(line) for line in lines.read_text().splitlines())
    lines.write_text("garbage\n")
    with pytest.raises(UsageError, match="line 1"):
        collect(["a"], lambda name: [name], output, {})


def test_failures_are_named_and_many_of_them_stop_the_work(tmp_path):
    def make(name: str) -> list[str]:
        if name.startswith("bad"):
            raise KnowledgeError("no")
        return [name]

    captions, failed = collect(["good", "bad1"], make, tmp_path / "a.json", {})
    assert captions == {"good": ["good"]}
    assert failed == {"bad1": "no"}
    with pytest.raises(EdgeC2VLError, match="20 samples in a row"):
        collect([f"bad{i}" for i in range(50)], make, tmp_path / "b.json", {})


@pytest.fixture(scope="module")
def local_model(tmp_path_factory) -> Path:
    pytest.importorskip("transformers", reason="needs the extra `knowledge`")
    return save_vision_language_model(tmp_path_factory.mktemp("models") / "llava")


def test_a_local_model_sees_the_pictures_and_the_prompt(local_model):
    captioner = LocalCaptioner(str(local_model), prompt="word1 word2", max_tokens=6)
    model, prompts, pixels = captioner._pipe.model, [], []
    model.register_forward_pre_hook(lambda _, __, inputs: prompts.append(inputs["input_ids"]), with_kwargs=True)
    eyes = next(module for module in model.modules() if type(module).__name__ == "CLIPVisionModel")
    eyes.register_forward_pre_hook(lambda _, given, named: pixels.extend([*given, *named.values()]), with_kwargs=True)
    caption = captioner.caption(PICTURES)
    words = caption.split()
    assert 1 <= len(words) <= 6
    assert all(word.startswith("word") for word in words)
    assert pixels[0].shape[0] == len(PICTURES)
    assert pixels[0][0].mean() < pixels[0][2].mean()  # in order: the first is the darkest
    vocabulary = captioner._pipe.tokenizer.get_vocab()
    assert prompts[0][0, -2:].tolist() == [vocabulary["word1"], vocabulary["word2"]]
    assert captioner.captions(PICTURES, per_frame=True) == [captioner.caption([picture]) for picture in PICTURES]


def test_what_is_no_local_model_is_refused(tmp_path):
    pytest.importorskip("transformers", reason="needs the extra `knowledge`")
    with pytest.raises(KnowledgeError, match="no image-text-to-text model"):
        LocalCaptioner(str(tmp_path))


def test_a_data_url_holds_no_name():
    url = data_url(PICTURES[0])
    assert b"a01_s02" not in base64.b64decode(url.partition(",")[2])


@pytest.mark.parametrize("status", [301, 302, 307])
def test_the_key_follows_no_redirect(server, monkeypatch, status):
    monkeypatch.setenv("OPENAI_API_KEY", "s3cret")
    other = Server()
    # Another host by its name; the sockets are the same machine's.
    elsewhere = other.url.replace("127.0.0.1", "localhost") + "/chat/completions"
    server.answer = lambda *_: (status, {"Location": elsewhere}, b"")
    try:
        with pytest.raises(KnowledgeError, match=f"{status} .*no redirect is followed"):
            Endpoint(server.url, "m").caption([])
        assert other.requests == []
    finally:
        other.close()


def test_an_answer_without_end_is_not_read(server, monkeypatch):
    monkeypatch.setattr("train.knowledge.caption.MAX_ANSWER", 1000)
    server.answer = lambda *_: (200, {}, b" " * 2000)
    with pytest.raises(KnowledgeError, match="more than 1000 bytes"):
        Endpoint(server.url, "m", retries=0).caption([])


@pytest.mark.timeout(60)
def test_an_answer_that_drips_has_a_deadline():
    with (
        hostile.server(hostile.dripping("body")) as port,
        pytest.raises(KnowledgeError, match="no whole answer within"),
    ):
        Endpoint(f"http://127.0.0.1:{port}/v1", "m", retries=0, timeout_s=0.3).caption([])


def test_no_message_of_an_endpoint_shows_a_secret(monkeypatch):
    for url in ("http://u:s3cret@host/v1", "http://u:12/s3cret@host/v1", "ftp://u:s3cret@host", "u:s3cret@host/v1"):
        with pytest.raises(UsageError) as refused:
            Endpoint(url, "m")
        assert "s3cret" not in str(refused.value)
    monkeypatch.setenv("OPENAI_API_KEY", "s3cret\nX-Other: 1")
    with pytest.raises(UsageError, match="OPENAI_API_KEY") as refused:
        Endpoint("http://127.0.0.1:1/v1", "m", retries=0).caption([])
    assert "s3cret" not in str(refused.value)
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(KnowledgeError) as failed:
        Endpoint("http://127.0.0.1:1/v1?key=s3cret", "m", retries=0).caption([])
    assert "s3cret" not in str(failed.value)
