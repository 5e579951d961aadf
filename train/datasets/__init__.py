"""The data sets that `edge-c2vl prepare` turns into skeleton archives: one file each, and one line here."""

from __future__ import annotations

# name -> module. A module has `open_source(folder, options) -> Source`; see train/datasets/source.py.
DATASETS = {
    "sktdd": "train.datasets.sktdd",
}
