"""The data sets that `edge-c2vl prepare` turns into skeleton archives: one file each, and one line here."""

from __future__ import annotations

# name -> "module:function". The function takes (folder, options) and gives a Source; see train/datasets/source.py.
DATASETS = {
    "auc": "train.datasets.statefarm:open_auc",
    "ctr-gcn": "train.datasets.ctr_gcn:open_source",
    "drive-act": "train.datasets.drive_act:open_source",
    "ntu120": "train.datasets.ntu:open_ntu120",
    "ntu60": "train.datasets.ntu:open_ntu60",
    "nw-ucla": "train.datasets.nw_ucla:open_source",
    "pku-mmd": "train.datasets.pku_mmd:open_source",
    "pyskl": "train.datasets.pyskl:open_source",
    "sktdd": "train.datasets.sktdd:open_source",
    "statefarm": "train.datasets.statefarm:open_statefarm",
    "utd-mhad": "train.datasets.utd_mhad:open_source",
}
