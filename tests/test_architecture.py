"""The rooms of the package and the arrows between them, read from the imports."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "p2pselect"
FACE = "p2pselect"

#: Low to high: a room imports from rooms to its left only.
ROOMS = """
    exceptions _lazy _show_versions _optional _doc_links _docstrings _settings distributed
    atomic_write _keyed_file _labels _answer_kinds _targets images _answering _fill
    _region_sums _explanation_arrays regions _model_folder _model_card datasets nn training
    metrics explanations selection onnx_export runtime estimators methods model_selection
    presets persistence testing app reproduction p2pselect cli __main__
""".split()

#: Arrays in, arrays or pictures out: these work on a machine without the networks' libraries.
WITHOUT_NETWORKS = (
    "exceptions _optional _doc_links _docstrings _answer_kinds _answering _fill _region_sums "
    "_explanation_arrays images explanations regions datasets metrics model_selection presets "
    "runtime"
).split()
HEAVY = ("torch", "torchvision", "timm", "matplotlib", "skorch")
MAX_LINES = 350
#: Longer files, each with the reason why two would be harder to read.
LONGER: dict[str, str] = {
    "p2pselect._explanation_arrays": "the arrays and all that follows from them, documented",
    "p2pselect.images._sequence": "one class, most of it documentation",
    "p2pselect.estimators._base": "what all methods do once they are fitted, documented",
}
#: Rooms within a room.
SUBROOMS = {"figures", "report"}


@dataclass(frozen=True)
class Import:
    """One module that another one names: in an import statement, or as a string."""

    source: str
    target: str
    line: int

    def __str__(self) -> str:
        return f"{self.source}:{self.line} imports {self.target}"


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(file): file for file in sorted(PACKAGE.rglob("*.py"))}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else FACE


class Imports(ast.NodeVisitor):
    """Collects what a module imports, wherever it does so and whatever for.

    Imports inside functions and under ``TYPE_CHECKING`` count, and so do the names of modules
    in strings, which ``import_module`` may be given.
    """

    def __init__(self, module: str):
        self.module = module
        self.found: list[Import] = []

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.add(alias.name, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            self.add(inner if inner in FILES else str(node.module), node.lineno)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring imports nothing
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        named = re.fullmatch(rf"({FACE}(\.\w+)+)\.?_?", str(node.value))
        if named:
            self.add(named[1].removesuffix("._"), node.lineno)

    def add(self, target: str, line: int) -> None:
        self.found.append(Import(self.module, target, line))


def imports_of(module: str, source: str) -> list[Import]:
    collector = Imports(module)
    collector.visit(ast.parse(source))
    return collector.found


def all_imports() -> Iterator[Import]:
    for module, file in FILES.items():
        yield from imports_of(module, file.read_text(encoding="utf-8"))


IMPORTS = list(all_imports())
OWN = [i for i in IMPORTS if i.target.partition(".")[0] == FACE]


def is_upwards(found: Import) -> bool:
    return ROOMS.index(room(found.target)) > ROOMS.index(room(found.source))


def test_every_room_has_its_place():
    assert {room(module) for module in FILES} <= set(ROOMS)


def test_no_arrow_upwards():
    assert [str(found) for found in OWN if is_upwards(found)] == []


@pytest.mark.parametrize(
    ("module", "line", "upwards"),
    [
        ("p2pselect.nn._masking", "from p2pselect.methods._p2p import P2PClassifier", True),
        ("p2pselect.nn._masking", "from p2pselect.exceptions import InputError", False),
        ("p2pselect.metrics._scores", "import p2pselect.explanations", True),
        ("p2pselect.explanations", "def plot():\n import p2pselect.metrics", False),
        ("p2pselect.nn._masking", "def f():\n import p2pselect.metrics", True),
        ("p2pselect.metrics._scores", "from p2pselect import P2PClassifier", True),
        ("p2pselect.cli._demo", "from p2pselect import P2PClassifier", False),
        ("p2pselect.images._pixels", "if TYPE_CHECKING:\n import p2pselect.cli", True),
        ("p2pselect.estimators._base", "import_module('p2pselect.persistence')", True),
        ("p2pselect.estimators._base", "import_module(f'p2pselect.cli._{name}')", True),
        ("p2pselect.methods._table", "HOME = {'x': 'p2pselect.nn._masking'}", False),
    ],
)
def test_an_arrow_upwards_is_seen(module, line, upwards):
    assert [is_upwards(found) for found in imports_of(module, line)] == [upwards]


def test_a_docstring_imports_nothing():
    assert imports_of("p2pselect.nn", "def f():\n    'p2pselect.cli'") == []


def test_no_circle_of_any_kind():
    graph: dict[str, set[str]] = {module: set() for module in FILES}
    for found in OWN:
        if found.target != found.source:
            graph[found.source].add(found.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other: {' <- '.join(error.args[1])}")


def test_what_is_inside_a_room_is_private():
    """Outsiders import what the ``__init__`` of a room exports."""
    inside = [m.split(".")[2:] for m in FILES if m.count(".") >= 2]
    public = {".".join(names) for names in inside if not names[-1].startswith("_")}
    assert public <= SUBROOMS


@pytest.mark.parametrize(
    "file",
    [
        ROOT / "README.md",
        *sorted((ROOT / "examples").rglob("*.py")),
        *sorted((ROOT / "tests/extension").rglob("*.py")),
        *sorted((ROOT / "docs").rglob("*.md")),
    ],
    ids=lambda file: file.relative_to(ROOT).as_posix(),
)
def test_examples_and_pages_import_nothing_private(file):
    text = file.read_text(encoding="utf-8")
    assert re.findall(rf"{FACE}(?:\.\w+)*\._\w+|import _\w+", text) == []


def test_imports_are_absolute():
    relative = [
        module
        for module, file in FILES.items()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


def test_networks_know_nothing_of_estimators_or_their_libraries():
    low = [i for i in IMPORTS if room(i.source) == "nn"]
    assert [str(i) for i in low if i.target.partition(".")[0] in ("sklearn", "skorch")] == []


def test_files_hold_one_idea():
    lines = {m: len(f.read_text(encoding="utf-8").splitlines()) for m, f in FILES.items()}
    assert {module for module, n in lines.items() if n > MAX_LINES} == set(LONGER)


def test_no_file_without_a_subject():
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}
    assert [m for m in FILES if vague & set(m.strip("_").split("."))] == []


def loaded_by(*modules: str) -> set[str]:
    """Heavy packages that modules load in a fresh interpreter, beyond scikit-image's own."""
    first = "import sys, skimage.color, skimage.segmentation; before = set(sys.modules)"
    program = f"{first}; import {', '.join(modules)}; print(*(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(HEAVY) & set(done.stdout.split())


def test_import_of_the_package_is_light():
    assert loaded_by("p2pselect") == set()


def test_rooms_without_networks_load_none():
    rooms = [f"p2pselect.{name}" for name in WITHOUT_NETWORKS]
    assert loaded_by(*rooms) == set()


def test_heavy_imports_are_noticed():
    assert "torch" in loaded_by("p2pselect.nn._masking")
