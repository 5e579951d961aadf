"""What the service's unit allows."""

from __future__ import annotations

from pathlib import Path

from edge_c2vl.device.systemd_unit import find_nodes, read_unit
from tests.support.jetsons import BOARDS, install_unit, make_jetson


def test_a_drop_in_adds_and_takes_back(tmp_path: Path) -> None:
    root = make_jetson(tmp_path, BOARDS["orin-nano"], 0)
    install_unit(
        root, "[Service]\nUser=edge-c2vl\nDevicePolicy=closed\nDeviceAllow=char-nvhost rw\n# DeviceAllow=/dev/no rw\n"
    )
    drop_in = root / "etc/systemd/system/edge-c2vl.service.d"
    drop_in.mkdir(parents=True)
    (drop_in / "1.conf").write_text(
        "[Service]\nDeviceAllow=\nDeviceAllow=/dev/nvmap \\\nrw\n[Unit]\nDeviceAllow=/dev/x rw\n"
    )
    unit = read_unit("edge-c2vl.service", root)
    assert unit is not None
    assert [" ".join(rule.split()) for rule in unit.settings["DeviceAllow"]] == ["/dev/nvmap rw"]
    assert (unit.uid, unit.groups) == (990, frozenset({44, 104, 990}))


def test_real_nodes() -> None:
    nodes = {node.path: node.kind for node in find_nodes(["null", "zero", "no-such*", "disk/*"])}
    assert nodes == {"/dev/null": "mem", "/dev/zero": "mem"}
