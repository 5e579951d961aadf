"""What to install on a Jetson, and elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_c2vl.device.jetson import tensorrt_hint


@pytest.mark.parametrize(
    ("line", "hints"),
    [
        ("# R36 (release), REVISION: 3.0, GCID: 36106755, BOARD: generic", ["JetPack 6", "python3.10"]),
        ("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic", ["JetPack 6", "--system-site-packages"]),
        ("# R38 (release), REVISION: 2.0, GCID: 41844464, BOARD: generic", ["JetPack 7", "python3.12"]),
        ("# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref", ["JetPack 5", "flash JetPack 6"]),
        ("# R32 (release), REVISION: 7.1", ["JetPack 4", "flash JetPack 6"]),
    ],
)
def test_what_to_install_on_each_jetpack(tmp_path: Path, line: str, hints: list[str]) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "nv_tegra_release").write_text(line)
    found = tensorrt_hint(tmp_path)
    assert all(hint in found for hint in hints)
    assert "\n" not in found


def test_elsewhere_it_is_pip(tmp_path: Path) -> None:
    assert tensorrt_hint(tmp_path).startswith("pip install tensorrt (")
