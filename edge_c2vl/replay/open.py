"""Opens what can be replayed, by what it is."""

from __future__ import annotations

from pathlib import Path

from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.replay.recording import Drive


def open_drive(source: str, events: str | None = None, bundle: str | None = None) -> Drive:
    """A JSON lines file of decisions (with `events`, their alerts), a skeleton archive (with `bundle`, judged by it),
    or alert clips. Raises EdgeC2VLError where it is none of these."""
    from edge_c2vl.replay.skeletons import AlertClips, ArchivedClips, clip_files

    path = Path(source)
    if not path.exists():
        raise EdgeC2VLError(f"{source} does not exist; name a file of decisions, a skeleton archive or alert clips")
    if (path / "meta.json").is_file():
        drive: Drive = ArchivedClips(path, bundle)
    elif path.suffix == ".npz" or (path.is_dir() and clip_files(path)):
        drive = AlertClips(path)
    elif path.is_dir():
        raise EdgeC2VLError(f"{source} is neither a skeleton archive (no meta.json) nor a folder of alert clips (.npz)")
    else:
        from edge_c2vl.replay.decisions import DecisionFile

        return DecisionFile(path, events)
    if events is not None:
        raise UsageError("--events belongs to a file of decisions")
    return drive


def number_of(drive: Drive, name: str | None) -> int:
    """The index of the recording of that name, or of that number counted from 1; 0 where none is asked for. Raises
    UsageError."""
    if name is None:
        return 0
    index = drive.find(name)
    if index is None and name.isdigit():
        index = int(name) - 1
    if index is None or not 0 <= index < len(drive):
        raise UsageError(
            f"there is no recording {name} in {drive.title}; give a name, or a number of 1 to {len(drive)}"
        )
    return index
