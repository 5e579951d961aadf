"""How the code is laid out, read from its imports: python tools/structure.py

A room is a folder directly in a package (edge_c2vl/web/), or a module there that has none (edge_c2vl/errors.py).
Imports inside functions count, and those for type hints too. Exit code 1 where LIMITS does not allow what is found.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("edge_c2vl", "train", "calibration")
LONG_FILE_LINES = 350
# From the lowest line to the highest: a room imports rooms of lower lines only. What is not listed may do as it likes.
ORDER = {
    "edge_c2vl": (
        "names",
        "errors",
        "device utils",
        "settings",
        "skeletons speed",
        "bundle simulated",
        "cameras inference",
        "pose",
        "face",
        "monitoring",
        "web",
        "outputs",
        "runtime",
        "replay",
        "doctor packaging plots",
        "commands",
    ),
    "train": (
        "environment metrics processes settings",
        "data fabric",
        "model",
        "methods",
        "trainer",
        "extraction knowledge",
        "datasets",
        "finetune pretrain",
        "evaluation simulate",
        "recipes",
        "commands",
    ),
}
# The most that is allowed. A figure without a limit is printed only.
LIMITS = {
    "modules without a room in edge_c2vl": 6,
    "modules without a room in train": 8,
    "circles": 0,
    "upward imports": 0,
    "class names with two meanings": 0,
}

Graph = dict[str, set[str]]


@dataclass
class Structure:
    """imports: module -> the project's modules that it imports. classes: public class name -> modules that define it.
    lines: module -> lines of its file. packages: the modules that are an __init__.py."""

    imports: Graph = field(default_factory=dict)
    classes: dict[str, list[str]] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    packages: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, root: Path, packages: Iterable[str] = PACKAGES) -> Structure:
        """Reads every module of the packages under `root`. Raises SyntaxError where one is no Python."""
        files = {}
        for package in packages:
            for path in sorted((root / package).rglob("*.py")):
                parts = path.relative_to(root).with_suffix("").parts
                files[".".join(parts).removesuffix(".__init__")] = path
        found = cls(packages={module for module, path in files.items() if path.name == "__init__.py"})
        classes: dict[str, list[str]] = defaultdict(list)
        for module, path in files.items():
            text = path.read_text("utf-8")
            tree = ast.parse(text, str(path))
            found.imports[module] = imported(tree, module, files, module in found.packages) - {module}
            found.lines[module] = len(text.splitlines())
            for node in tree.body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    classes[node.name].append(module)
        found.classes = dict(sorted(classes.items()))
        return found

    def flat(self, package: str) -> list[str]:
        """The modules directly in a package."""
        return [
            name
            for name in self.imports
            if name.startswith(f"{package}.") and name.count(".") == 1 and name not in self.packages
        ]

    def rooms(self) -> Graph:
        """room -> the rooms that it imports. A package's own __init__.py is no room."""
        graph: Graph = {}
        for module, targets in self.imports.items():
            if "." in module:
                graph.setdefault(room_of(module), set()).update(room_of(name) for name in targets if "." in name)
        return {room: targets - {room} for room, targets in graph.items()}

    def circles(self) -> list[list[str]]:
        """Modules that import each other, straight or by way of others; then rooms that do so by way of no circle of
        modules."""
        found = [group for group in components(self.imports) if len(group) > 1]
        within = {module for group in found for module in group}
        rooms = [group for group in components(self.rooms()) if len(group) > 1]
        return found + [group for group in rooms if not within & set(group)]

    def upward(self, order: Mapping[str, Iterable[str]] = ORDER) -> list[str]:
        """Imports of a room on the same line of `order` or a higher one, as "module -> module"."""
        heights = {
            f"{package}.{name}": height
            for package, lines in order.items()
            for height, line in enumerate(lines)
            for name in line.split()
        }
        found = []
        for module, targets in self.imports.items():
            here = room_of(module)
            for target in sorted(targets):
                there = room_of(target)
                same_package = here.split(".")[0] == there.split(".")[0]
                if here == there or not same_package or here not in heights or there not in heights:
                    continue
                if heights[here] <= heights[there]:
                    found.append(f"{module} -> {target}")
        return found

    def floors(self, package: str) -> int:
        """The longest chain of imports from room to room within a package."""
        inside = {room: targets for room, targets in self.rooms().items() if room.startswith(f"{package}.")}
        return longest_chain({room: targets & set(inside) for room, targets in inside.items()})

    def figures(self) -> dict[str, list[str]]:
        """What LIMITS speaks of, one by one."""
        return {
            **{f"modules without a room in {package}": self.flat(package) for package in ORDER},
            "circles": [" <-> ".join(group) for group in self.circles()],
            "upward imports": self.upward(),
            "class names with two meanings": [
                f"{name}: {', '.join(modules)}" for name, modules in self.classes.items() if len(modules) > 1
            ],
            f"files over {LONG_FILE_LINES} lines": [
                f"{module}: {lines}" for module, lines in self.lines.items() if lines > LONG_FILE_LINES
            ],
        }


def room_of(module: str) -> str:
    """edge_c2vl.web.app -> edge_c2vl.web."""
    return ".".join(module.split(".")[:2])


def imported(tree: ast.AST, module: str, known: Iterable[str], is_package: bool = False) -> set[str]:
    """The modules of `known` that a module's syntax tree imports, anywhere in it."""
    known = set(known)
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".") + ([""] if is_package else [])
                base = ".".join([*parts[: -node.level], *filter(None, [node.module])])
            inner = {f"{base}.{alias.name}" for alias in node.names}
            found |= inner & known or {base}
            if not inner <= known:
                found.add(base)
    return found & known


def components(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Strongly connected components (Tarjan), each sorted; what others import comes before them."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        number[name] = lowest[name] = len(number)
        stack.append(name)
        for target in sorted(graph.get(name, ())):
            if target not in number:
                visit(target)
                lowest[name] = min(lowest[name], lowest[target])
            elif target in stack:
                lowest[name] = min(lowest[name], number[target])
        if lowest[name] == number[name]:
            first = stack.index(name)
            found.append(sorted(stack[first:]))
            del stack[first:]

    for name in sorted(graph):
        if name not in number:
            visit(name)
    return found


def longest_chain(graph: Mapping[str, set[str]]) -> int:
    """How many names the longest chain of imports has; a circle counts as one name."""
    height: dict[str, int] = {}
    for group in components(graph):
        below = {target for name in group for target in graph[name] if target not in group}
        height |= dict.fromkeys(group, 1 + max((height[name] for name in below), default=0))
    return max(height.values(), default=0)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="How the code is laid out, read from its imports.")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout to read")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--quiet", action="store_true", help="print only what is not allowed")
    asked = parser.parse_args(arguments)
    structure = Structure.read(asked.root)
    figures = structure.figures()
    wrong = [name for name, found in figures.items() if len(found) > LIMITS.get(name, len(found))]
    if asked.json:
        values: dict[str, Any] = {f"floors of {package}": structure.floors(package) for package in ORDER}
        print(json.dumps(values | figures, indent=1))
        return bool(wrong)
    if not asked.quiet:
        for package in ORDER:
            print(f"floors of {package}: {structure.floors(package)}")
    for name, found in figures.items():
        if name in wrong:
            print(f"{name}: {len(found)}, allowed are {LIMITS[name]}", *found, sep="\n    ")
        elif not asked.quiet:
            print(f"{name}: {len(found)}", *(found if "modules" not in name else []), sep="\n    ")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
