"""What goes to a fleet as one file: wheels for one Python and architecture, a bundle, settings, the unit, checksums,
and the installer, which needs no network and rolls back (deploy/install.sh).

Made on a workstation from a checkout, since wheels are fetched and the project's own is built there.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge_c2vl.bundle.bundle import Bundle, write_bundle
from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.inference.engine_check import listed_engines
from edge_c2vl.settings.config_file import load_mapping

Say = Callable[[str], None]
CHECKOUT = Path(__file__).resolve().parents[1]
DEPLOYED = ("install.sh", "edge-c2vl.service", "environment", "make-config.sh")
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "cli.py", "edge_c2vl", "train", "calibration")
INSTALLED_BUNDLE = "/opt/edge-c2vl/current/bundle"
EXTRAS = ("can", "metrics", "mqtt", "web")


@dataclass(frozen=True)
class Target:
    """The Python ("3.10") and the machine (`uname -m`) of the fleet."""

    python: str
    machine: str

    @classmethod
    def here(cls) -> Target:
        return cls(f"{sys.version_info[0]}.{sys.version_info[1]}", platform.machine())


def write_package(
    out: Path,
    bundle: Bundle,
    target: Target,
    engine: bool = False,
    config: Path | None = None,
    overwrite: bool = False,
    say: Say = lambda _: None,
) -> str:
    """Writes the package to `out` and returns the name of its release.

    engine: with the bundle's TensorRT engines; else they are left out, and the CPU runs the model. config: what `run
    --config` reads, for every vehicle; its model is the package's bundle. Raises UsageError for what cannot be asked
    for, BundleError where engine is asked for and the bundle has none, EdgeC2VLError where a wheel cannot be had; `out`
    is then as it was.
    """
    if not (CHECKOUT / "deploy" / "install.sh").is_file():
        raise UsageError("package works from a checkout of the repository: pip install --editable it, and run it there")
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists already: name another file, or add --overwrite")
    if engine:
        listed_engines(bundle)
    fleet = None if config is None else _with_bundle(config)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name[:80]}.", dir=out.parent) as folder:
        staged = Path(folder) / "package"
        (staged / "wheels").mkdir(parents=True)
        _write_bundle(bundle, staged / "bundle", engine)
        say(f"fetching wheels for Python {target.python} on {target.machine}")
        fetch_wheels(target, staged / "wheels")
        wheels = sorted((staged / "wheels").glob("*.whl"))
        pins = ["{}=={}".format(*wheel.name.split("-")[:2]) for wheel in wheels]
        own = next(index for index, pin in enumerate(pins) if pin.startswith("edge_c2vl=="))
        pins[own] = pins[own].replace("==", f"[{','.join(EXTRAS)}]==")
        (staged / "requirements.txt").write_text("\n".join(pins) + "\n")
        for name in DEPLOYED:
            shutil.copy(CHECKOUT / "deploy" / name, staged / name)
        shutil.copy(CHECKOUT / "docs" / "jetson.md", staged / "jetson.md")
        if fleet is not None:
            (staged / "fleet-config.yaml").write_text(fleet)
        release = _seal(staged, target, wheels[own].name.split("-")[1])
        say(f"packing {sum(1 for _ in staged.rglob('*'))} files")
        packed = Path(folder) / "packed"
        _pack(staged, packed, f"edge-c2vl-{release}")
        os.replace(packed, out)
    return release


def _with_bundle(config: Path) -> str:
    """The fleet's config, with the bundle that each release brings. Raises UsageError where it names another one."""
    named = load_mapping(config).get("bundle")
    if named not in (None, INSTALLED_BUNDLE):
        raise UsageError(
            f"{config}: bundle: {named} is not the package's: leave that line out, and name it with --bundle"
        )
    text = config.read_text("utf-8").rstrip("\n")
    return f"{text}\n" if named else f"{text}\nbundle: {INSTALLED_BUNDLE}\n"


def _write_bundle(bundle: Bundle, folder: Path, engine: bool) -> None:
    kept = [entry for entry in bundle.manifest.engines if engine or entry.backend != "tensorrt"]
    left_out = {entry.path for entry in bundle.manifest.engines} - {entry.path for entry in kept}
    files: dict[str, Path | bytes] = {
        name: bundle.path / name for name in bundle.manifest.files if name not in left_out
    }
    write_bundle(folder, replace(bundle.manifest, engines=kept), files)


def fetch_wheels(target: Target, folder: Path) -> None:
    """The project's own wheel, and those of all that it needs, in the tested versions."""
    with tempfile.TemporaryDirectory() as temporary:
        tree = Path(temporary)
        for name in SOURCES:  # a copy: setuptools would take what an earlier build left in the checkout
            source = CHECKOUT / name
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, tree / name, ignore=ignored) if source.is_dir() else shutil.copy(
                source, tree / name
            )
        _pip("wheel", "--no-deps", "--wheel-dir", folder, tree)
        wanted = tree / "requirements.txt"
        constraints = CHECKOUT / "constraints.txt"
        if target == Target.here():
            wanted.write_text(f"edge-c2vl[{','.join(EXTRAS)}]\n")
            own = ("--find-links", folder, "--constraint", constraints)
            _pip("download", "--only-binary", ":all:", "--dest", folder, *own, "--requirement", wanted)
            return
        # pip takes this machine's side of a line such as `; python_version < "3.11"`, uv the target's.
        extras = [word for extra in EXTRAS for word in ("--extra", extra)]
        uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
        resolve = [uv, "pip", "compile", tree / "pyproject.toml", "--quiet", "--no-header", "--no-annotate", *extras]
        resolve += ["--constraint", constraints, "--python-version", target.python, "--only-binary", ":all:"]
        resolve += ["--python-platform", f"{target.machine}-manylinux_2_28", "--output-file", wanted]
        _run(resolve, "uv, which knows what other machines need, is missing: pip install uv")
        platforms = [f"{glibc}_{target.machine}" for glibc in ("manylinux_2_28", "manylinux_2_17", "manylinux2014")]
        options = [word for name in platforms for word in ("--platform", name)]
        options += ["--python-version", target.python, "--only-binary", ":all:", "--no-deps"]
        _pip("download", *options, "--dest", folder, "--requirement", wanted)


def _pip(*arguments: object) -> None:
    _run([sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments], "pip is missing")


def _run(command: Sequence[object], missing: str) -> None:
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    except OSError:
        raise EdgeC2VLError(missing) from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
        errors = [line for line in lines if line.lower().startswith("error")]
        raise EdgeC2VLError(f"a wheel cannot be had: {(errors or lines or ['no reason given'])[-1].strip()}")


def _seal(folder: Path, target: Target, version: str) -> str:
    """Writes the checksums and what the installer has to know. The release is named after what is in it."""
    sums = "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    )
    release = f"{re.sub(r'[^A-Za-z0-9.]', '', version)}-{hashlib.sha256(sums.encode()).hexdigest()[:12]}"
    told = f"release={release}\nwanted_python=python{target.python}\nwanted_machine={target.machine}\n"
    (folder / "package.env").write_text(told)
    digest = hashlib.sha256(told.encode()).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{sums}{digest}  package.env\n")
    return release


def _pack(folder: Path, target: Path, top: str) -> None:
    """A tar whose bytes depend on the contents alone."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = entry.mtime = 0
        entry.uname = entry.gname = "root"
        entry.mode = 0o755 if entry.isdir() or entry.name.endswith(".sh") else 0o644
        return entry

    with tarfile.open(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.add(path, f"{top}/{path.relative_to(folder)}", recursive=False, filter=plain)
