"""The data sets that `edge-c2vl prepare` turns into skeleton archives: one file each, and one line here."""

from __future__ import annotations

# name -> "module:function". The function takes (folder, options) and gives a Source; see train/datasets/source.py.
DATASETS = {
    "nw-ucla": "train.datasets.nw_ucla:open_source",
    "sktdd": "train.datasets.sktdd:open_source",
}
