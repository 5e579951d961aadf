"""tools/structure.py on small trees: what it counts, and what it refuses."""

from __future__ import annotations

import json

import pytest

from tests.support.programs import BESIDE_THE_CHECKOUT
from tools.structure import LIMITS, ORDER, ROOT, Structure, longest_chain, main, room_of


@pytest.fixture
def tree(tmp_path):
    """Writes files: path -> text; gives the root."""

    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            for folder in path.relative_to(tmp_path).parents:
                if folder.name and not (tmp_path / folder / "__init__.py").exists():
                    (tmp_path / folder / "__init__.py").write_text("")
            path.write_text(text)
        return tmp_path

    return write


def test_imports_of_every_form_are_seen(tree):
    root = tree(
        {
            "edge_c2vl/errors.py": "class Broken(Exception): ...\n",
            "edge_c2vl/web/app.py": "class App: ...\n",
            "edge_c2vl/web/hub.py": "from . import app\nfrom .app import App\n",
            "edge_c2vl/web/server.py": "from edge_c2vl.web import app, hub\nfrom edge_c2vl.errors import Broken\n",
            "edge_c2vl/web/__init__.py": "from .app import App\n",
            "edge_c2vl/run.py": "import edge_c2vl.web.app\ndef late():\n    from edge_c2vl.web import App\n",
        }
    )
    imports = Structure.read(root, ["edge_c2vl"]).imports
    assert imports["edge_c2vl.web.hub"] == {"edge_c2vl.web.app"}
    assert imports["edge_c2vl.web.server"] == {"edge_c2vl.web.app", "edge_c2vl.web.hub", "edge_c2vl.errors"}
    assert imports["edge_c2vl.web"] == {"edge_c2vl.web.app"}
    assert imports["edge_c2vl.run"] == {"edge_c2vl.web.app", "edge_c2vl.web"}


def test_circles_of_modules_and_of_rooms(tree):
    files = {
        "train/a/one.py": "from train.b.two import x\n",
        "train/b/two.py": "def f():\n    from train.a.one import y\n",
        "edge_c2vl/c/one.py": "from edge_c2vl.d.two import x\n",
        "edge_c2vl/d/two.py": "",
        "edge_c2vl/d/three.py": "from edge_c2vl.c.four import x\n",
        "edge_c2vl/c/four.py": "",
    }
    found = Structure.read(tree(files)).circles()
    assert ["train.a.one", "train.b.two"] in found
    assert ["edge_c2vl.c", "edge_c2vl.d"] in found
    assert len(found) == 2 or ["train.a", "train.b"] in found


def test_imports_against_the_order(tree):
    files = {
        "edge_c2vl/utils/text.py": "if True:\n    from edge_c2vl.web.app import App\n",
        "edge_c2vl/web/app.py": "from edge_c2vl.utils.text import x\nfrom edge_c2vl.web.hub import y\n",
        "edge_c2vl/web/hub.py": "",
        "edge_c2vl/anything.py": "from edge_c2vl.web.app import App\n",
    }
    structure = Structure.read(tree(files))
    assert structure.upward({"edge_c2vl": ("utils", "web")}) == ["edge_c2vl.utils.text -> edge_c2vl.web.app"]
    assert structure.upward({"edge_c2vl": ("utils web",)}) == [
        "edge_c2vl.utils.text -> edge_c2vl.web.app",
        "edge_c2vl.web.app -> edge_c2vl.utils.text",
    ]


def test_floors_are_the_longest_chain():
    assert longest_chain({"a": set(), "b": {"a"}, "c": {"a", "b"}, "d": {"a"}}) == 3
    assert longest_chain({"a": {"b"}, "b": {"a"}, "c": {"a"}}) == 2
    assert longest_chain({}) == 0


def test_exit_code_and_names_tell_what_is_not_allowed(tree, capsys):
    files = {
        "edge_c2vl/errors.py": "class Source: ...\nclass _Own: ...\n",
        "train/data/clips.py": "class Source: ...\nclass _Own: ...\n",
    }
    root = tree(files)
    assert main(["--root", str(root)]) == 1
    told = capsys.readouterr().out
    assert "class names with two meanings: 1, allowed are 0\n    Source: edge_c2vl.errors, train.data.clips" in told
    assert "_Own" not in told
    (root / "train/data/clips.py").write_text("class Rows: ...\n" + "\n" * 400)
    assert main(["--root", str(root), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["files over 350 lines"] == ["train.data.clips: 401"]
    assert figures["floors of train"] == 1
    for number in range(8):
        (root / f"edge_c2vl/flat{number}.py").write_text("")
    assert main(["--root", str(root), "--quiet"]) == 1
    assert capsys.readouterr().out.startswith("modules without a room in edge_c2vl: 9, allowed are 6\n")


def test_a_room_stands_on_one_line():
    for lines in ORDER.values():
        names = " ".join(lines).split()
        assert len(names) == len(set(names))


def test_the_project_keeps_to_it(capsys):
    assert main(["--quiet"]) == 0, capsys.readouterr().out


def test_every_room_has_its_line():
    structure = Structure.read(ROOT)
    assert set(LIMITS) <= set(structure.figures())
    for package, lines in ORDER.items():
        rooms = {room_of(module).split(".")[1] for module in structure.imports if module.startswith(f"{package}.")}
        assert rooms <= set(" ".join(lines).split())


def test_test_modules_do_not_import_each_other():
    """What several of them need lies in tests/support or in a conftest.py."""
    imports = Structure.read(ROOT, ["tests"]).imports
    found = {
        (module, other)
        for module, others in imports.items()
        for other in others
        if other.rpartition(".")[2].startswith("test_")
    }
    assert sorted(found) == []


def test_shared_recordings_lie_beside_the_checkout():
    """Where they are looked for elsewhere, every test of them skips."""
    assert ROOT.parent / "shared" / "data" == BESIDE_THE_CHECKOUT
