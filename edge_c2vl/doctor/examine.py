"""All checks, in the order that they are shown in."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from edge_c2vl.doctor.cameras import check_cameras
from edge_c2vl.doctor.findings import Finding, told
from edge_c2vl.doctor.machine import check_cores, check_resources, check_temperature
from edge_c2vl.doctor.nvidia import check_cuda, check_dla, check_gpu, check_tensorrt
from edge_c2vl.doctor.software import (
    check_bundle,
    check_extras,
    check_face,
    check_inference,
    check_packages,
    check_pose,
    check_python,
)

CHECKS: tuple[Callable[[], list[Finding]], ...] = (
    check_python,
    check_cores,
    check_packages,
    check_pose,
    check_face,
    check_bundle,
    check_inference,
    check_gpu,
    check_cuda,
    check_tensorrt,
    check_dla,
    check_cameras,
    check_resources,
    check_temperature,
    check_extras,
)


def examine(checks: Iterable[Callable[[], list[Finding]]] | None = None) -> list[Finding]:
    """Runs all checks. A check that breaks becomes a warning: the doctor never fails over an odd machine."""
    findings = []
    for check in CHECKS if checks is None else checks:
        try:
            findings += check()
        except Exception as error:
            name = check.__name__.removeprefix("check_")
            findings.append(Finding(name, "warn", f"could not be checked: {told(error)}"))
    return findings


def can_run(findings: Iterable[Finding]) -> bool:
    return all(finding.state != "fail" for finding in findings)
