"""--normal as an output: a file that may have to wait for its disk, and that one run learns into."""

from __future__ import annotations

from edge_c2vl.personal import Personaliser
from edge_c2vl.sinks import Sink


class Normality(Sink):
    """Takes no records. Raises what `Personaliser.open` does."""

    def __init__(self, personaliser: Personaliser) -> None:
        self._personaliser = personaliser
        personaliser.open()

    def close(self) -> None:
        self._personaliser.close()
