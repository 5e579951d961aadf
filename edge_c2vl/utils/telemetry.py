"""Switches off what dependencies send to their makers. `edge_c2vl/__init__.py` calls this before anything else of this
project is imported, since most of them look at their switch only while they are imported.

Nothing here is needed for what the user asks for: a model that the user names by its hub name is still fetched.
"""

from __future__ import annotations

import os

# Dependency by dependency: what it would do, and the variable that stops it. deploy/ sets the same values.
SWITCHES = {
    # ONNX Runtime from 1.29 on: a device id and a database in ~/.cache/Microsoft, and events to Microsoft.
    "ORT_DISABLE_TELEMETRY": "1",
    # huggingface_hub, and through it transformers and sentence-transformers: which model was loaded by what.
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # Ray: usage reports from the cluster's head.
    "RAY_USAGE_STATS_ENABLED": "0",
    # Selenium Manager, in the tests of the page: which browser and driver were looked for.
    "SE_AVOID_STATS": "true",
}


def switch_off() -> None:
    """Sets each switch that the user has not set."""
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
