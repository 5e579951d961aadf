"""Errors that a user can act on: what is wrong, where, and what to do, in one line."""

from edge_c2vl.names import printable


class EdgeC2VLError(Exception):
    """Something failed; the command ends with exit code 1 and prints only the message."""

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        # A message quotes names of files, which may hold anything.
        super().__init__(printable(message))


class UsageError(EdgeC2VLError):
    """The command was called wrongly; exit code 2."""

    exit_code = 2


class OutputError(EdgeC2VLError):
    """An output cannot be opened now. That may pass: a live run goes on without it and tries it again."""


class CameraError(EdgeC2VLError):
    """A camera, stream or file could not be opened or read."""


class BundleError(EdgeC2VLError):
    """A model bundle is missing, damaged or not for this machine."""


class ArchiveError(EdgeC2VLError):
    """A skeleton archive is missing, damaged or of another layout or version."""


class DatasetError(EdgeC2VLError):
    """A data set's own files are not where, or not what, they should be."""
