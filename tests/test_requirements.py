"""pyproject.toml and constraints.txt: everything that is installed has a tested version, nothing with a known hole may
be installed."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
CONSTRAINTS = [
    Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")
]
# The first version without the hole.
MENDED = {
    "h11": ("0.16.0", "CVE-2025-43859, request smuggling by chunked bodies"),
    "opencv-python-headless": ("4.12.0", "CVE-2025-53644, a JPEG file writes past a buffer"),
    "pillow": ("10.3.0", "CVE-2023-50447 and CVE-2024-28219, code by a picture"),
    "protobuf": ("4.25.8", "CVE-2025-4565, recursion without a limit"),
    "ray": ("2.52.0", "CVE-2025-62593, code by a page in the browser"),
    "scikit-learn": ("1.5.0", "CVE-2024-5206, words of the training data kept"),
    "starlette": ("0.49.1", "CVE-2025-62727, a Range header that takes quadratic time"),
    "torch": ("2.6.0", "CVE-2025-32434, code by a checkpoint"),
}


def wanted() -> list[Requirement]:
    """What pyproject.toml asks for, the extra `gpu` excepted: it stands in for onnxruntime where there is a GPU."""
    lines = [*PROJECT["dependencies"], *(line for name, lines in EXTRAS.items() if name != "gpu" for line in lines)]
    found = [Requirement(line) for line in lines]
    return [requirement for requirement in found if requirement.name != PROJECT["name"]]


def here(requirement: Requirement, extras: set[str]) -> bool:
    """Whether it is asked for on this Python and machine, with these extras."""
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras | {""})


def test_everything_that_is_installed_for_us_has_a_tested_version() -> None:
    tested = {canonicalize_name(line.name): line for line in CONSTRAINTS if here(line, set())}
    queue = [(canonicalize_name(requirement.name), requirement.extras) for requirement in wanted()]
    seen: dict[str, str] = {}
    while queue:
        name, extras = queue.pop()
        if name in seen:
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # an extra that is not installed
        seen[name] = distribution.version
        for line in distribution.requires or []:
            requirement = Requirement(line)
            if here(requirement, extras):
                queue.append((canonicalize_name(requirement.name), requirement.extras))
    assert len(seen) > 20
    # These come with Python's own tools.
    assert sorted(set(seen) - set(tested) - {"pip", "setuptools"}) == []
    other = {
        name: version for name, version in seen.items() if name in tested and version not in tested[name].specifier
    }
    assert {name for name in other if not Version(other[name]).local} == set()


@pytest.mark.parametrize("name", MENDED)
def test_no_version_with_a_known_hole_may_be_installed(name: str) -> None:
    first, why = MENDED[name]
    (floor,) = {
        Version(part.version)
        for requirement in wanted()
        if canonicalize_name(requirement.name) == name
        for part in requirement.specifier
        if part.operator == ">="
    }
    assert floor >= Version(first), why
    assert all(Version(part.version) >= floor for line in CONSTRAINTS if line.name == name for part in line.specifier)
