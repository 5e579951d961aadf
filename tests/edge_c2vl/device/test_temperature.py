"""The machine's temperature."""

from __future__ import annotations

import errno

from edge_c2vl.device import temperature as temperature_module


def test_a_temperature_that_cannot_be_read_is_none(monkeypatch, tmp_path):
    class Zones(type(tmp_path)):
        def glob(self, _pattern):
            raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(temperature_module, "ZONES", Zones(tmp_path))
    assert temperature_module.temperature_c() is None
