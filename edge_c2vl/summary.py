"""What a run came to, for people and machines."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Summary:
    """`decided`: number of decisions by state. `in_words`: by nearest phrase, where the bundle has labels in words.
    `states_s`: seconds of recording spent in each state; `unwatched_s`: those between decisions so far apart that
    nobody knows the state. `stages`: latency of each stage in milliseconds (see `timing.Timings.table`). `wall_s`: the
    whole run; `seeing_s`: from the first frame to the last. `rss_mb`: the process's memory at the end. `outputs_down`:
    outputs that could not be opened up to the end, and why."""

    frames: int = 0
    poses: int = 0
    dropped_frames: int = 0
    decisions: int = 0
    alerts: int = 0
    decided: dict[str, int] = field(default_factory=dict)
    in_words: dict[str, int] = field(default_factory=dict)
    states_s: dict[str, float] = field(default_factory=dict)
    unwatched_s: float = 0.0
    wall_s: float = 0.0
    seeing_s: float = 0.0
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    rss_mb: float = 0.0
    outputs_down: dict[str, str] = field(default_factory=dict)

    def count(self, state: str) -> None:
        """One more decision in that state."""
        self.decisions += 1
        self.decided[state] = self.decided.get(state, 0) + 1

    @property
    def fps(self) -> float:
        """Frames looked at a second, from the first one on to the last: without start and end."""
        return self.frames / self.seeing_s if self.seeing_s else 0.0

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {
            "fps": round(self.fps, 2),
            "wall_s": round(self.wall_s, 3),
            "seeing_s": round(self.seeing_s, 3),
        }

    def to_text(self) -> str:
        share = f" ({self.poses / self.frames:.0%})" if self.frames else ""
        dropped = f", {self.dropped_frames} dropped" if self.dropped_frames else ""
        states = ", ".join(f"{state} {count}" for state, count in self.decided.items()) or "none"
        lines = [
            f"frames     {self.frames} in {self.wall_s:.1f} s ({self.fps:.1f} a second{dropped})",
            f"poses      {self.poses}{share}",
            f"decisions  {self.decisions}: {states}",
            f"alerts     {self.alerts}",
        ]
        if self.unwatched_s:
            lines.append(f"unwatched  {self.unwatched_s:.1f} s in which nobody looked")
        if self.in_words:
            lines.append(f"in words   {', '.join(f'{phrase} {count}' for phrase, count in self.in_words.items())}")
        for stage, row in self.stages.items():
            lines.append(f"{stage:<10} p50 {row['p50_ms']:8.2f}  p95 {row['p95_ms']:8.2f}  p99 {row['p99_ms']:8.2f} ms")
        lines.append(f"memory     {self.rss_mb:.0f} MB")
        lines += [f"down       {name}: {why}" for name, why in self.outputs_down.items()]
        return "\n".join(lines)
