"""`edge-c2vl package`, and what its installer does without a network, with damage, and when it is killed."""

from __future__ import annotations

import os
import time
import zipfile
from pathlib import Path

import pytest

from edge_c2vl import packaging
from edge_c2vl.bundle.bundle import Bundle, revise_bundle
from edge_c2vl.errors import BundleError, EdgeC2VLError, UsageError
from edge_c2vl.packaging import Target, write_package
from tests.support.engines import PLAN, engine_for
from tests.support.tiny_bundle import make_bundle
from tests.support.vehicle import Emulated, Vehicle, unpack

ORIN = Target("3.10", "aarch64")


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """One with an engine."""
    made = make_bundle(tmp_path / "b")
    entry = engine_for(made)
    return revise_bundle(made, {entry.path: PLAN}, engines=[entry])


@pytest.fixture
def without_fetching(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(target: Target, folder: Path) -> None:
        assert target == ORIN
        for name in ("edge_c2vl-0.1.0-py3-none-any.whl", "numpy-2.2.6-cp310-cp310-manylinux_2_17_aarch64.whl"):
            with zipfile.ZipFile(folder / name, "w") as wheel:
                wheel.writestr(zipfile.ZipInfo("x.py"), "")

    monkeypatch.setattr(packaging, "fetch_wheels", fetch)


@pytest.mark.parametrize("engine", [False, True])
def test_what_is_in_it(tmp_path: Path, bundle: Bundle, without_fetching: None, engine: bool) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("camera: csi://0\npose-model: /opt/lite.task\n")
    release = write_package(tmp_path / "out" / "p.tar", bundle, ORIN, engine, config)
    top = unpack(tmp_path / "out" / "p.tar", tmp_path / "there")
    assert top.name == f"edge-c2vl-{release}"
    assert release.startswith("0.1.0-")
    packed = Bundle.open(top / "bundle").manifest
    assert len(packed.engines) == engine
    assert (top / "bundle" / bundle.manifest.engines[0].path).exists() == engine
    lines = (top / "requirements.txt").read_text().splitlines()
    assert lines == ["edge_c2vl[can,metrics,mqtt,web]==0.1.0", "numpy==2.2.6"]
    assert (top / "package.env").read_text() == (
        f"release={release}\nwanted_python=python3.10\nwanted_machine=aarch64\n"
    )
    assert (top / "fleet-config.yaml").read_text() == (
        "camera: csi://0\npose-model: /opt/lite.task\nbundle: /opt/edge-c2vl/current/bundle\n"
    )
    assert os.access(top / "install.sh", os.X_OK)
    listed = {line.split()[1] for line in (top / "SHA256SUMS").read_text().splitlines()}
    present = {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()}
    assert listed == present - {"SHA256SUMS"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["p.tar"]


def test_the_same_content_is_the_same_file(tmp_path: Path, bundle: Bundle, without_fetching: None) -> None:
    names = [write_package(tmp_path / name, bundle, ORIN) for name in ("1.tar", "2.tar")]
    assert names[0] == names[1]
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()
    assert write_package(tmp_path / "3.tar", bundle, ORIN, engine=True) != names[0]


def test_what_cannot_be(
    tmp_path: Path, bundle: Bundle, without_fetching: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "p.tar"
    plain = make_bundle(tmp_path / "plain")
    with pytest.raises(BundleError, match=r"has no TensorRT engine: .*build-engine"):
        write_package(out, plain, ORIN, engine=True)
    out.write_text("somebody's")
    with pytest.raises(UsageError, match="exists already"):
        write_package(out, bundle, ORIN)

    def fail(*_: object) -> None:
        raise EdgeC2VLError("a wheel cannot be had")

    monkeypatch.setattr(packaging, "fetch_wheels", fail)
    with pytest.raises(EdgeC2VLError, match="cannot be had"):
        write_package(out, bundle, ORIN, overwrite=True)
    assert out.read_text() == "somebody's"
    config = tmp_path / "c.yaml"
    config.write_text("camera: 0\nbundle: elsewhere\n")
    with pytest.raises(UsageError, match=r"c.yaml: bundle: elsewhere"):
        write_package(tmp_path / "q.tar", bundle, ORIN, config=config)
    monkeypatch.setattr(packaging, "CHECKOUT", tmp_path)
    with pytest.raises(UsageError, match="from a checkout"):
        write_package(tmp_path / "q.tar", bundle, ORIN)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "c.yaml", "p.tar", "plain"]


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", [Vehicle, Emulated], ids=["here", "aarch64"])
def test_an_install_without_a_network_a_killed_upgrade_and_the_way_back(tmp_path: Path, kind: type[Vehicle]) -> None:
    vehicle = kind.here(tmp_path)
    packages = []
    camera = "camera: simulated:story?live=no&fps=10&seconds=4\n"
    for number, limit in enumerate((3.0, 2.5)):
        config, file = tmp_path / f"{number}.yaml", tmp_path / f"{number}.tar"
        config.write_text(f"{camera}policy:\n  warning_fast_s: {limit}\n")
        try:
            write_package(file, Bundle.open("default"), vehicle.target, config=config)
        except EdgeC2VLError as error:
            pytest.skip(f"needs a package registry: {error}")
        packages.append(unpack(file, vehicle.unpacked / f"unpacked-{number}"))
        file.unlink()
    first, second = (package.name.removeprefix("edge-c2vl-") for package in packages)

    began = time.monotonic()
    done = vehicle.install(packages[0])
    takes_s = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    assert vehicle.release == first
    assert vehicle.works()
    unit = vehicle.root / "usr/local/lib/systemd/system/edge-c2vl.service"
    assert os.readlink(unit) == "/opt/edge-c2vl/current/edge-c2vl.service"
    assert os.readlink(vehicle.root / "etc/edge-c2vl/config.yaml") == "/opt/edge-c2vl/current/config.yaml"
    assert "no release before" in vehicle.install(packages[0], "--rollback").stderr

    # Wherever the power fails, what runs is whole.
    at_work = 0
    for share in vehicle.kills:
        at_work += vehicle.killed(packages[1], share * takes_s)
        assert vehicle.release in (first, second)
        complete = vehicle.root / "opt/edge-c2vl/current/complete"
        assert complete.exists()
    assert at_work >= len(vehicle.kills) / 2
    assert vehicle.works()

    done = vehicle.install(packages[1])
    assert done.returncode == 0, done.stderr
    assert vehicle.release == second
    assert "2.5" in (vehicle.root / "opt/edge-c2vl/current/config.yaml").read_text()
    assert vehicle.works()
    releases = vehicle.root / "opt/edge-c2vl/releases"
    assert {path.name for path in releases.iterdir()} == {first, second}

    done = vehicle.install(releases / second, "--rollback")
    assert (done.returncode, vehicle.release) == (0, first), done.stderr
    assert vehicle.works()

    # Damage on the way, and what is for another machine.
    victim = packages[1] / "bundle" / "model.fp32.onnx"
    victim.write_bytes(victim.read_bytes()[:-1] + b"x")
    done = vehicle.install(packages[1])
    assert (done.returncode, vehicle.release) == (1, first)
    assert "the package is damaged" in done.stderr
