"""Builds plans from ONNX models with the module tensorrt of this process, for a GPU that is not there:
`python -m tests.support.build_plans JOBS.json` prints a JSON line a job, {"label", "error", "bytes", "layers"}."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import tensorrt

from edge_c2vl.errors import BundleError
from edge_c2vl.inference.engine_check import Device
from edge_c2vl.inference.plan import BuildOptions, build_plan, choose_flags


def main(jobs: str) -> None:
    device = Device("no GPU", "8.9", tensorrt.__version__)
    with tempfile.TemporaryDirectory() as folder:
        for job in json.loads(Path(jobs).read_text()):
            options = BuildOptions(
                job["precision"], batch=tuple(job["batch"]), timing_cache=Path(folder) / "cache", optimisation_level=0
            )
            shapes = {name: tuple((size, *shape) for size in job["batch"]) for name, shape in job["shapes"].items()}
            flags = choose_flags(tuple(job["version"]), job["precision"])
            told = {"label": job["label"], "error": "", "bytes": 0, "layers": {}}
            try:
                plan, layers = build_plan(tensorrt, Path(job["model"]), flags, options, device, shapes)
                told |= {"bytes": len(plan), "layers": layers}
            except BundleError as error:
                told["error"] = str(error)
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
