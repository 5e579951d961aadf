"""An installed unit of systemd, and which device nodes it may open: by its DeviceAllow= and by its user's groups."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from edge_c2vl.device.files import read_text

# Where a unit may lie, the first counts; and its drop-ins.
FOLDERS = tuple(f"{folder}/systemd/system" for folder in ("etc", "run", "usr/local/lib", "usr/lib", "lib"))
# Always there with DevicePolicy=closed.
PSEUDO_DEVICES = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}


@dataclass(frozen=True)
class DeviceNode:
    """kind: the name of its major number in /proc/devices, such as "video4linux"."""

    path: str
    kind: str
    mode: int
    uid: int
    gid: int


@dataclass(frozen=True)
class Unit:
    """settings: of its section [Service], each with all its values. groups: numbers of the groups that its user has."""

    settings: dict[str, list[str]]
    user: str
    uid: int
    groups: frozenset[int]

    def why_not(self, node: DeviceNode) -> str:
        """What keeps the service from reading and writing a node; empty where nothing does."""
        policy = (self.settings.get("DevicePolicy") or ["auto"])[-1]
        allowed = self.settings.get("DeviceAllow", [])
        closed = policy in ("closed", "strict") or (policy == "auto" and allowed)
        if closed and node.path not in PSEUDO_DEVICES and not any(_allows(rule, node) for rule in allowed):
            return "DeviceAllow= does not name it"
        bits = stat.S_IMODE(node.mode)
        own = bits >> 6 if node.uid == self.uid else bits >> 3 if node.gid in self.groups else bits
        return "" if own & 6 == 6 else "its group is not one of the user's"


def _allows(rule: str, node: DeviceNode) -> bool:
    """rule: "/dev/nvmap rw" or "char-nvidia* rw"."""
    what, _, access = rule.partition(" ")
    if access and not {"r", "w"} <= set(access):
        return False
    return what == node.path or (what.startswith("char-") and fnmatchcase(node.kind, what.removeprefix("char-")))


def read_unit(name: str, root: Path = Path("/")) -> Unit | None:
    """An installed unit with its drop-ins; None where there is none."""
    file = next((path for folder in FOLDERS if (path := root / folder / name).is_file()), None)
    if file is None:
        return None
    drop_ins = {
        path.name: path for folder in reversed(FOLDERS) for path in (root / folder / f"{name}.d").glob("*.conf")
    }
    settings: dict[str, list[str]] = {}
    for path in (file, *(drop_ins[key] for key in sorted(drop_ins))):
        for key, value in _service_lines(path.read_text("utf-8", errors="replace")):
            # An empty value takes back what was said before.
            settings[key] = [*settings.get(key, []), value] if value else []
    user = (settings.get("User") or ["root"])[-1]
    uid, groups = _user(root, user, settings.get("SupplementaryGroups", []))
    return Unit(settings, user, uid, groups)


def _service_lines(text: str) -> Iterable[tuple[str, str]]:
    section = ""
    for line in text.replace("\\\n", " ").splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and line[0] not in "#;":
            key, _, value = line.partition("=")
            yield key.strip(), value.strip()


def _user(root: Path, user: str, supplementary: list[str]) -> tuple[int, frozenset[int]]:
    """The user's number, -1 where there is none, and the numbers of its groups."""
    account = next((row for row in _rows(root / "etc/passwd") if row[0] == user and len(row) > 3), None)
    wanted = {name for value in supplementary for name in value.split()}
    groups = {
        int(row[2])
        for row in _rows(root / "etc/group")
        if len(row) > 3 and (row[0] in wanted or user in row[3].split(","))
    }
    if account is None:
        return (0 if user == "root" else -1), frozenset(groups)
    return int(account[2]), frozenset(groups | {int(account[3])})


def _rows(path: Path) -> list[list[str]]:
    return [line.split(":") for line in read_text(path).splitlines()]


def find_nodes(patterns: Iterable[str], root: Path = Path("/")) -> list[DeviceNode]:
    """Character devices below /dev whose path matches a pattern."""
    kinds = _kinds(root)
    found = {}
    for pattern in patterns:
        for path in sorted((root / "dev").glob(pattern)):
            try:
                about = path.stat()
            except OSError:
                continue  # a link that leads nowhere, or a node that went away
            if stat.S_ISCHR(about.st_mode):
                name = "/" + str(path.relative_to(root))
                kind = kinds.get(os.major(about.st_rdev), "")
                found[name] = DeviceNode(name, kind, about.st_mode, about.st_uid, about.st_gid)
    return list(found.values())


def _kinds(root: Path) -> dict[int, str]:
    """Major number -> name, of /proc/devices' character devices."""
    text = read_text(root / "proc/devices")
    return {int(number): name for number, name in re.findall(r"^ *(\d+) (\S+)$", text.split("Block")[0], re.MULTILINE)}
