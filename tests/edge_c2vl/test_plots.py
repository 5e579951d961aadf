"""The pictures show what they are given, also to somebody who prints them without colour."""

from __future__ import annotations

import itertools

import matplotlib.colors
import numpy as np
import pytest

from edge_c2vl import plots
from edge_c2vl.errors import UsageError
from edge_c2vl.skeletons.skeleton import NTU25
from tests.support.disk import files_of_at_most

STAGES = {"pose": {"p50_ms": 20.0, "p95_ms": 25.0}, "encoder": {"p50_ms": 5.0, "p95_ms": 7.0}}


def strokes(line):
    return str(line.get_linestyle()) + str(line.get_color())


def test_a_line_for_each_run_and_a_panel_for_each_figure():
    runs = {"a": [{"epoch": 1, "loss": 2.0, "val": 0.5}, {"epoch": 2, "loss": 1.0}], "b": [{"epoch": 1, "loss": 3.0}]}
    figure = plots.curves(runs)
    loss, val = figure.axes
    assert [panel.get_title() for panel in (loss, val)] == ["loss", "val"]
    assert [line.get_xydata().tolist() for line in loss.lines] == [[[1, 2], [2, 1]], [[1, 3]]]
    assert val.lines[0].get_xydata().tolist() == [[1, 0.5]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_many_runs_differ_by_stroke_as_well():
    figure = plots.curves({str(number): [{"epoch": 1, "loss": 1.0}] for number in range(8)})
    lines = figure.axes[0].lines
    assert len({str(line.get_linestyle()) + str(line._unscaled_dash_pattern) for line in lines}) >= 7


def test_neighbouring_colours_differ_in_brightness():
    def gray(colour):
        return float(np.dot(matplotlib.colors.to_rgb(colour), (0.299, 0.587, 0.114)))

    for first, second in itertools.combinations(plots.COLOURS[:3], 2):
        assert abs(gray(first) - gray(second)) > 0.2


def test_the_stages_stand_end_to_end():
    axes = plots.latency({"car": STAGES, "desk": {"pose": STAGES["pose"]}}).axes[0]
    bars = [(bar.get_x(), bar.get_width()) for bar in axes.patches]
    assert bars == [(0, 20), (0, 20), (20, 5), (20, 0)]
    (whiskers,) = (line.get_segments() for line in axes.collections if len(line.get_segments()) == 2)
    assert [tuple(whisker[:, 0]) for whisker in whiskers] == [(25, 32), (20, 25)]
    assert len({bar.get_hatch() for bar in axes.patches}) == 2


def test_layers_that_stay_in_floating_point_look_different():
    axes = plots.sensitivity([("/a/", 9.0), ("/b/", 1.0), ("/c/", -0.5)], ["/a/"]).axes[0]
    found = {round(bar.get_y() + bar.get_height() / 2): (bar.get_width(), bar.get_hatch()) for bar in axes.patches}
    assert {place: width for place, (width, _) in found.items()} == {0: 9.0, 1: 1.0, 2: -0.5}
    assert found[0][1] != found[1][1] == found[2][1]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]


def test_each_group_of_embeddings_has_a_mark_of_its_own():
    places = np.arange(12.0).reshape(6, 2)
    figure = plots.embeddings(places, ["b", "a", "b", "a", "c", "c"], "map")
    groups = {dots.get_label(): dots.get_offsets().tolist() for dots in figure.axes[0].collections}
    assert groups == {"a": [[2, 3], [6, 7]], "b": [[0, 1], [4, 5]], "c": [[8, 9], [10, 11]]}
    assert len({dots.get_paths()[0].vertices.tobytes() for dots in figure.axes[0].collections}) == 3


def test_a_matrix_shows_shares_and_counts():
    axes = plots.confusion(np.array([[3, 1], [0, 0]]), ["a", "b"], "answers").axes[0]
    assert axes.images[0].get_array().tolist() == [[0.75, 0.25], [0, 0]]
    assert [text.get_text() for text in axes.texts] == ["3", "1", "0", "0"]


def test_a_strip_has_the_moments_and_only_what_was_seen():
    sequence = np.zeros((31, 25, 4), np.float32)
    sequence[..., 3] = 1
    sequence[..., 0] = np.arange(31)[:, None]
    sequence[:, NTU25.index("left_hand"), 3] = 0
    figure = plots.film_strip(sequence, np.arange(31) / 10, "waving", frames=4)
    assert [panel.get_title() for panel in figure.axes] == ["0.00 s", "1.00 s", "2.00 s", "3.00 s"]
    hidden = sum(NTU25.index("left_hand") in bone for bone in NTU25.bones)
    assert {len(panel.lines) for panel in figure.axes} == {len(NTU25.bones) - hidden}
    assert "waving" in figure.get_supxlabel()
    nobody = plots.film_strip(np.zeros((1, 25, 4)), [0.0])
    assert len(nobody.axes[0].lines) == 0


@pytest.mark.parametrize(("suffix", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_the_suffix_says_what_is_written(tmp_path, suffix, start):
    path = tmp_path / f"a.{suffix}"
    plots.save(plots.latency({"car": STAGES}), path)
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]


def test_equal_figures_are_equal_files():
    assert plots.png(plots.latency({"car": STAGES})) == plots.png(plots.latency({"car": STAGES}))


@pytest.mark.parametrize("path", ["none/a.png", "a.nonsense", "a"])
def test_a_picture_that_cannot_be_written(tmp_path, path):
    with pytest.raises(UsageError, match="no picture could be written"):
        plots.save(plots.latency({"car": STAGES}), tmp_path / path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_a_picture_on_a_full_disk(tmp_path, suffix):
    figure = plots.latency({"car": STAGES})
    with files_of_at_most(100), pytest.raises(UsageError, match="no picture could be written"):
        plots.save(figure, tmp_path / f"a.{suffix}")
    assert list(tmp_path.iterdir()) == []
