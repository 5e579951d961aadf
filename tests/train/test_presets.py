"""The plain lines, `knowledge encode` and `train pretrain` without a flag, on data of all kinds."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from click.testing import CliRunner  # noqa: E402

from edge_c2vl.errors import UsageError  # noqa: E402
from edge_c2vl.skeletons.archive import Archive, ArchiveWriter  # noqa: E402
from edge_c2vl.skeletons.clip import ClipSpec  # noqa: E402
from edge_c2vl.skeletons.windows import natural_window_s, whole_clips  # noqa: E402
from tests.support.training import body as sitting  # noqa: E402
from tests.support.training import write_movements  # noqa: E402
from train.commands.finetune import finetune  # noqa: E402
from train.commands.knowledge import knowledge  # noqa: E402
from train.commands.pretrain import pretrain  # noqa: E402
from train.data.augment import Augment  # noqa: E402
from train.data.clips import ClipStore  # noqa: E402
from train.evaluation.watch import Watch, _held_out, alignment, uniformity  # noqa: E402
from train.knowledge import text  # noqa: E402
from train.knowledge.bank import Bank  # noqa: E402
from train.knowledge.language import Language  # noqa: E402
from train.knowledge.learnt import with_variations  # noqa: E402
from train.knowledge.presets import bank_settings  # noqa: E402
from train.knowledge.spectrum import effective_rank  # noqa: E402
from train.model.checkpoint import CheckpointError, load_model  # noqa: E402
from train.model.encoder import Encoder  # noqa: E402
from train.settings.presets import Material, defaults  # noqa: E402
from train.settings.training import AugmentSettings, EncoderSettings  # noqa: E402

QUICK = ("--epochs", "2", "--accelerator", "cpu", "--threads", "1", "--no-tensorboard")


class Words:
    """A text encoder without weights: a vector of each text's own."""

    name, fingerprint, dimension = "words", "words-1", 24

    def encode(self, texts: list[str]) -> np.ndarray:
        seeds = [[ord(letter) for letter in said] for said in texts]
        return np.stack([np.random.default_rng(seed).normal(size=self.dimension) for seed in seeds]).astype(np.float32)


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_C2VL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(text, "open_encoder", lambda name: Words())


def run(command, *arguments: object) -> str:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def drivers(path: Path, lengths: list[int], fps: float, subjects: Callable[[int], str], labelled: bool = True) -> Path:
    """Sitting drivers in a picture, legs and hands never seen and other joints now and then not."""
    random = np.random.default_rng(0)
    with ArchiveWriter(
        path, labels=["a", "b"] if labelled else [], source="made up", licence="none", source_layout="ntu25",
        dimensions=2,
    ) as writer:  # fmt: skip
        for number, length in enumerate(lengths):
            frames = sitting(random, length, number % 2 == 0)
            frames[random.random((length, 25)) < 0.1] = 0
            writer.append(f"c{number}", frames, fps, number % 2 if labelled else -1, subject=subjects(number))
    return path


KINDS: dict[str, Callable[[Path], Path]] = {
    "3-D, six people": lambda path: write_movements(path, 12),
    "single frames": lambda path: drivers(path, [1] * 16, 30, lambda n: f"s{n % 4}"),
    "5 fps, one person": lambda path: drivers(path, [3, 5, 8] * 3, 5, lambda _: "x"),
    "long drives at 60 fps": lambda path: drivers(path, [60 * 13] * 3, 60, lambda _: "x"),
    "one long drive without labels": lambda path: drivers(path, [30 * 14], 30, lambda _: "", labelled=False),
    "two clips": lambda path: drivers(path, [30, 30], 30, lambda _: "", labelled=False),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_plain_lines_work(kind: str, tmp_path: Path) -> None:
    archive, bank, folder = KINDS[kind](tmp_path / "archive"), tmp_path / "bank", tmp_path / "run"
    run(knowledge, "encode", archive, bank)
    said = run(pretrain, archive, folder, "--bank", bank, *QUICK)
    verdict = json.loads((folder / "verdict.json").read_text())
    assert verdict["rankme"] > 1
    if "labels" in kind or kind == "two clips":
        assert "no verdict" in said
        assert "probe" not in verdict
    else:
        assert "held out" in said
        assert 0 <= verdict["probe_random"] <= 1
    encoder, about = load_model(folder)
    opened = Archive.open(archive)
    solid = opened.meta["dimensions"] == 3
    assert (about.clip.facing, about.clip.upright) == (solid, solid)
    assert encoder.settings.presence == (not solid)  # where joints come and go
    assert encoder.settings.graph_blocks == 1


def test_one_encoder_of_several_archives(tmp_path: Path) -> None:
    """Bodies in 3-D and pictures whose joints come and go, of another rate; resumed, and fine-tuned on the pictures."""
    solid = write_movements(tmp_path / "solid", 12)
    flat = KINDS["long drives at 60 fps"](tmp_path / "flat")
    line = (solid, flat, tmp_path / "run", "--method", "slim", "--preset", "small", *QUICK)
    assert "held out" in run(pretrain, *line)
    encoder, about = load_model(tmp_path / "run")
    assert encoder.settings.presence
    assert about.clip.dimensions == 3
    assert about.trained_on.count("made up") == 1
    assert (tmp_path / "run/metrics.jsonl").read_text().count("\n") == 2
    run(pretrain, solid, flat, tmp_path / "run", "--resume", "--epochs", 3)
    assert (tmp_path / "run/metrics.jsonl").read_text().count("\n") == 3
    run(finetune, flat, tmp_path / "tuned", "--from", tmp_path / "run", "--batch-size", 2, *QUICK)
    tuned = load_model(tmp_path / "tuned")[1].clip
    assert (tuned.dimensions, tuned.facing, tuned.upright) == (2, False, False)  # as its clips were
    with pytest.raises(UsageError, match="name a bank of each archive"):
        run(pretrain, solid, flat, tmp_path / "c2vl", *QUICK)


def test_one_encoder_of_several_archives_and_what_is_known_of_each(tmp_path: Path) -> None:
    flat, solid = KINDS["single frames"](tmp_path / "flat"), write_movements(tmp_path / "solid", 12)
    banks = []
    for archive in (flat, solid):
        run(knowledge, "encode", archive, tmp_path / f"{archive.name}.bank", "--preset", "small")
        banks += ["--bank", tmp_path / f"{archive.name}.bank"]
    run(pretrain, flat, solid, tmp_path / "run", *banks, "--preset", "small", *QUICK, "--epochs", 6)
    encoder, about = load_model(tmp_path / "run")
    assert (about.clip.dimensions, about.clip.facing) == (3, True)  # any has depth
    figures = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert figures[-1]["loss"] < figures[0]["loss"]
    assert {"language/retrieval", "language-1/retrieval"} <= set(figures[-1])
    # Its own embedding is the first archive's: words of that bank are compared with it.
    assert encoder.embedding_size == Language.load(tmp_path / "run/language.safetensors").words.shape[1]


def test_a_small_encoder_learns_from_a_large_one(tmp_path: Path) -> None:
    """From the same windows, without the captions; words mean the same to it; what does not fit is told."""
    archive, bank = write_movements(tmp_path / "archive", 12), tmp_path / "bank"
    run(knowledge, "encode", archive, bank, "--preset", "small")
    form = ("--network", "transformer", "--joined", 32)
    run(pretrain, archive, tmp_path / "large", "--bank", bank, "--preset", "small", *form, *QUICK)
    line = (archive, tmp_path / "small", "--method", "distil", "--bank", bank, "--preset", "small", "--joined", 8)
    said = run(pretrain, *line, "--teacher", tmp_path / "large", *QUICK)
    assert "held out" in said
    losses = [json.loads(text)["loss"] for text in (tmp_path / "small/metrics.jsonl").read_text().splitlines()]
    assert losses[1] < losses[0]
    small, large = load_model(tmp_path / "small")[0], load_model(tmp_path / "large")[0]
    assert small.settings.joined == 8
    assert (large.settings.network, large.settings.stride) == ("transformer", 8)  # the stride by the preset
    assert small.embedding_size == large.embedding_size
    kept = [(tmp_path / name / "language.safetensors").read_bytes() for name in ("small", "large")]
    assert kept[0] == kept[1]
    with pytest.raises(UsageError, match="name it with --teacher"):
        run(pretrain, *line, *QUICK)
    with pytest.raises(UsageError, match="--teacher does nothing without --method distil"):
        run(pretrain, archive, tmp_path / "other", "--method", "slim", "--teacher", tmp_path / "large", *QUICK)
    with pytest.raises(UsageError, match="give one --bank, not 2"):
        run(pretrain, *line, "--bank", bank, "--teacher", tmp_path / "large", *QUICK)
    with pytest.raises(CheckpointError, match="does not exist"):
        run(pretrain, *line, "--teacher", tmp_path / "nothing", *QUICK)
    with pytest.raises(UsageError, match="--embedding does nothing with --teacher"):
        run(pretrain, *line, "--teacher", tmp_path / "large", "--embedding", 8, *QUICK)
    with pytest.raises(CheckpointError, match=r"takes other clips: frames 32 \(here 16\)"):
        run(pretrain, archive, tmp_path / "other", *line[2:], "--teacher", tmp_path / "large", "--frames", 16, *QUICK)


def test_the_preset_gives_way_to_flags_and_files(tmp_path: Path) -> None:
    archive, bank = write_movements(tmp_path / "archive", 6), tmp_path / "bank"
    run(knowledge, "encode", archive, bank, "--preset", "small", "--variations", 0)
    assert Bank.open(bank).varied is None
    (tmp_path / "own.yaml").write_text("width: 4\n")

    def settings(*given: object) -> EncoderSettings:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        run(pretrain, archive, folder, "--method", "random", *given)
        return load_model(folder)[0].settings

    flagged = settings("--width", 8)
    assert (flagged.width, flagged.graph_blocks) == (8, 1)
    # A file written for settings as they stand in docs/settings.md keeps its meaning, unless a preset is asked for.
    plain = settings("--config", tmp_path / "own.yaml")
    assert (plain.width, plain.graph_blocks) == (4, 0)
    both = settings("--config", tmp_path / "own.yaml", "--preset", "standard")
    assert (both.width, both.graph_blocks) == (4, 1)
    assert settings("--preset", "paper").blocks == 10


def test_variations_are_learnt_from_where_all_their_sources_are(tmp_path: Path) -> None:
    archive = Archive.open(write_movements(tmp_path / "archive", 12))
    run(knowledge, "encode", archive.path, tmp_path / "bank", "--crops", 0)
    bank = Bank.open(tmp_path / "bank")
    learnt, rows = with_variations(archive, [bank], np.arange(6))
    clips = learnt.clips.iloc[rows]
    mine = {f"clip{number}" for number in range(6)}
    assert set(clips["variation_of"]) == mine | {""}
    assert set(clips["arms_of"]) <= mine | {""}
    assert (clips["variation_of"] == "").sum() == 6
    assert len(rows) >= 6 * 4  # each clip, mirrored, backwards and both
    np.testing.assert_array_equal(learnt.upright(rows[0]), archive.upright(0))
    # Nobody has arms of another part of a split that the archive names: all variations of train are learnt from there.
    train = np.flatnonzero(archive.clips["fold"] == "train")
    assert len(with_variations(archive, [bank], train)[1]) == 8 * len(train)
    # Everything there, so all of it.
    assert len(with_variations(archive, [bank], np.arange(len(archive)))[1]) == len(learnt)


def test_more_data_needs_fewer_variations_and_crops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive.open(write_movements(tmp_path / "archive"))
    assert (bank_settings(archive).variations, bank_settings(archive).crops) == (7, 8)
    monkeypatch.setattr("train.knowledge.presets.CLIPS", 4 * 36)
    monkeypatch.setattr("train.knowledge.presets.WINDOWS", 4 * 36 * 3)
    assert (bank_settings(archive).variations, bank_settings(archive).crops) == (3, 2)
    assert bank_settings(archive, variations=0, pool="clauses").pool == "clauses"
    assert bank_settings(archive, "paper").pool == "caption"
    long = Archive.open(KINDS["long drives at 60 fps"](tmp_path / "long"))
    assert (natural_window_s(archive), natural_window_s(long)) == (0, 3)


def test_epochs_follow_from_the_clips_seen() -> None:
    for clips, epochs in ((8_000, 15), (100, 400), (1_000_000, 4)):
        values = defaults("standard", "c2vl", Material(3, clips))
        assert values["epochs"] == epochs
        assert 2 <= values["batch_size"] <= 128
    assert defaults("standard", "skeleton-clr", Material(2, 100))["crop"] < 1


def test_a_clip_that_is_compared_with_itself_is_told(tmp_path: Path) -> None:
    archive = write_movements(tmp_path / "archive")
    still = [part for name in ("rotate", "view", "scale", "shear", "jitter") for part in (f"--{name}", 0)]
    said = run(pretrain, archive, tmp_path / "still", "--method", "skeleton-clr", *QUICK, *still, "--crop", 1)
    assert "compared with itself" in said
    assert "compared with itself" not in run(pretrain, archive, tmp_path / "run", "--method", "skeleton-clr", *QUICK)


# What is watched


def test_rank_alignment_and_uniformity() -> None:
    random = np.random.default_rng(0)
    spread = np.linalg.qr(random.normal(size=(64, 64)))[0]
    assert effective_rank(spread) == pytest.approx(64, rel=1e-3)
    one = np.tile(spread[:1], (64, 1))
    assert effective_rank(one) == pytest.approx(1, abs=1e-3)
    assert uniformity(one) == pytest.approx(0, abs=1e-6)
    assert uniformity(spread) == pytest.approx(-4, abs=1e-6)  # all at right angles: squared distance 2
    assert alignment(spread, spread) == 0
    assert alignment(spread, -spread) == pytest.approx(4)


def test_of_one_recording_the_last_quarter_is_held_out(tmp_path: Path) -> None:
    archive = Archive.open(drivers(tmp_path / "archive", [60], 10, lambda _: ""))
    rows = np.random.default_rng(0).permutation(40)
    fit, held, who = _held_out(archive, np.zeros(40, np.int64), rows, 0)
    assert who == "the same recording"
    assert sorted(rows[held]) == list(range(30, 40))
    assert sorted(rows[fit]) == list(range(30))


class Constant(Encoder):
    def features(self, clip: torch.Tensor) -> torch.Tensor:
        return torch.ones(len(clip), self.feature_size) + 1e-4 * clip.mean(dim=(1, 2, 3))[:, None]


def test_a_collapse_is_told_once_and_a_worse_encoder_has_worse_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = Archive.open(write_movements(tmp_path / "archive"))
    store = ClipStore.open(archive, whole_clips(archive), ClipSpec(frames=12, dimensions=3), tmp_path / "cache")
    watch = Watch.of(store, archive, np.arange(len(store)), Augment(AugmentSettings(view=10), 3))
    assert watch.held_out.endswith("of 6 people")
    subjects = archive.clips["subject"].to_numpy()
    assert not set(subjects[watch.fit]) & set(subjects[watch.held])
    good, bad = Encoder(EncoderSettings(width=4, blocks=3)), Constant(EncoderSettings(width=4, blocks=3))
    state = torch.get_rng_state()
    assert watch(bad, 0.1)["rankme"] < 1.1
    assert "collapses" not in capsys.readouterr().err  # it has hardly begun
    for _ in range(2):
        watch(bad, 0.9)
    assert capsys.readouterr().err.count("collapses") == 1
    torch.testing.assert_close(torch.get_rng_state(), state)  # a resumed run goes on to the bit
    verdict = watch.verdict(good, bad)
    assert verdict["probe"] < verdict["probe_random"]
