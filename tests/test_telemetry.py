"""Nothing goes home to a dependency's maker, and nothing is written but what was asked for: processes of the product
without a network, in a home that is empty, seen from outside."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_c2vl.utils.telemetry import SWITCHES

ROOT = Path(__file__).resolve().parents[1]
RUN = (
    "cli.py",
    "run",
    "--camera",
    "simulated:story?live=no&fps=10&seconds=2&size=320x240",
    "--quiet",
    "--decisions",
    "OUT/d.jsonl",
)
# Every module of the product, an inference, a sentence's embedding, a picture; and what its dependencies believe.
EVERYTHING = """
import importlib, pathlib, sys
for package in ("calibration", "train", "edge_c2vl"):
    for path in sorted(pathlib.Path(package).rglob("*.py")):
        importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
import onnxruntime
onnxruntime.InferenceSession("edge_c2vl/bundles/default/model.int8.onnx", providers=["CPUExecutionProvider"])
from train.knowledge.text import open_encoder
assert open_encoder("minilm").encode(["a hand at the ear"]).shape == (1, 384)
from edge_c2vl import plots
assert plots.png(plots._figure(1, 1)[0])
import huggingface_hub.constants
assert huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY
from ray._common.usage import usage_lib
assert not usage_lib.usage_stats_enabled()
"""


@dataclass(frozen=True)
class Seen:
    """files: what lies in the home and in the temporary folder afterwards. trace: lines of strace; None without it."""

    files: list[str]
    trace: list[str] | None


def works(*command: str) -> bool:
    """Whether a program is here and may do what it does: a container may forbid namespaces and ptrace."""
    return shutil.which(command[0]) is not None and subprocess.run(command, capture_output=True).returncode == 0


def watched(folder: Path, *arguments: str) -> Seen:
    """Runs Python as on a fresh account; `OUT` stands for a folder of its own. It must end with 0."""
    home, temporary, out = (folder / name for name in ("home", "tmp", "out"))
    for path in (home, temporary, out):
        path.mkdir()
    environment = {"HOME": str(home), "TMPDIR": str(temporary), "PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *(argument.replace("OUT", str(out)) for argument in arguments)]
    tracer = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=%network,openat,mkdir,creat"]
    traced = works(*tracer, "-o", os.devnull, "true")
    if traced:
        command = [*tracer, "-o", str(folder / "trace"), *command]
    for alone in (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]):
        if works(*alone, "true"):
            command = [*alone, *command]
            break
    done = subprocess.run(
        command, cwd=ROOT, env=environment | {"PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    files = [str(path.relative_to(folder)) for kept in (home, temporary) for path in kept.rglob("*") if path.is_file()]
    return Seen(files, (folder / "trace").read_text(errors="replace").splitlines() if traced else None)


@pytest.fixture(scope="module", params=["run", "everything"])
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    arguments = RUN if request.param == "run" else ("-c", EVERYTHING)
    return watched(tmp_path_factory.mktemp(request.param), *arguments)


def test_nothing_is_written_at_home(seen: Seen) -> None:
    # The list of fonts lies in the project's own cache, which is asked for by drawing.
    assert [name for name in seen.files if not name.startswith("home/.cache/edge-c2vl/matplotlib/")] == []


def test_nobody_is_looked_up_and_nothing_is_sent(seen: Seen) -> None:
    if seen.trace is None:
        pytest.skip("needs strace: apt install strace")
    assert any("libonnxruntime" in line or "onnxruntime_pybind11" in line for line in seen.trace)
    # A look-up of a name begins with this file.
    assert [line for line in seen.trace if "/etc/resolv.conf" in line] == []
    addressed = [line for line in seen.trace if re.search(r"\b(connect|send\w+)\(.*sin6?_addr", line)]
    assert [line for line in addressed if not re.search(r'"127\.0\.0\.1"|"::1"', line)] == []


def test_no_file_is_made_elsewhere(seen: Seen, tmp_path_factory: pytest.TempPathFactory) -> None:
    if seen.trace is None:
        pytest.skip("needs strace: apt install strace")
    made = [re.search(r'"([^"]*)".*O_CREAT.* = \d', line) for line in seen.trace]
    elsewhere = {match[1] for match in made if match and not match[1].startswith(str(tmp_path_factory.getbasetemp()))}
    assert {name for name in elsewhere if name != os.devnull and not name.startswith("/dev/shm/")} == set()


@pytest.mark.parametrize("package", ["edge_c2vl", "calibration", "train"])
def test_the_switches_are_set_by_importing_a_package_unless_the_user_has(package: str) -> None:
    program = f"import {package}, os; print(*(os.environ[name] for name in {list(SWITCHES)}))"
    given = {name: value for name, value in os.environ.items() if name not in SWITCHES}
    for chosen in ({}, {"ORT_DISABLE_TELEMETRY": "0"}):
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env=given | chosen, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == list((SWITCHES | chosen).values())


SCRIPTS = sorted(path for folder in ("benchmarks", "tools") for path in (ROOT / folder).glob("*.py"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_imports_what_is_switched_off_before_the_project(path: Path) -> None:
    early = {"huggingface_hub", "onnxruntime", "ray", "sentence_transformers", "transformers"}
    for node in ast.parse(path.read_text()).body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not early & {name.partition(".")[0] for name in names}
