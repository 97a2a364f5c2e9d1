"""The rooms of the package and the arrows between them, read from the imports."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "p2pselect"
FACE = "p2pselect"

#: Low to high: a room imports from rooms to its left only.
ROOMS = """
    exceptions _optional _doc_links distributed atomic_write _labels images regions
    datasets nn training metrics explanations selection estimators methods
    model_selection presets persistence onnx_export testing reproduction p2pselect cli __main__
""".split()

#: The only imports upwards, all inside a function: conveniences of an object that its own
#: room has no use for.
UPWARDS_INSIDE_FUNCTIONS = {
    ("estimators", "persistence"),  # estimator.save and load
    ("methods", "onnx_export"),  # P2PClassifier.export_onnx
}

#: Arrays in, arrays or pictures out: these work on a machine without the networks' libraries.
WITHOUT_NETWORKS = (
    "exceptions _optional _doc_links images explanations regions datasets metrics "
    "model_selection presets"
).split()
HEAVY = ("torch", "torchvision", "timm", "matplotlib", "skorch")
MAX_LINES = 350


@dataclass(frozen=True)
class Import:
    """One import statement of one name."""

    source: str
    target: str
    when: str  # "loaded", "called" (inside a function) or "typed" (under TYPE_CHECKING)
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
    """Collects what a module imports, and when."""

    def __init__(self, module: str):
        self.module = module
        self.when = "loaded"
        self.found: list[Import] = []

    def during(self, when: str, nodes: list[ast.stmt]) -> None:
        before, self.when = self.when, when
        for node in nodes:
            self.visit(node)
        self.when = before

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.during("called", node.body)

    def visit_If(self, node: ast.If) -> None:
        typed = "TYPE_CHECKING" in ast.unparse(node.test)
        self.during("typed" if typed else self.when, node.body)
        self.during(self.when, node.orelse)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.add(alias.name, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            self.add(inner if inner in FILES else str(node.module), node.lineno)

    def add(self, target: str, line: int) -> None:
        self.found.append(Import(self.module, target, self.when, line))


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
    low, high = room(found.source), room(found.target)
    if low == FACE and found.when == "typed":
        return False  # the face names what it loads lazily
    named = found.when == "called" and (low, high) in UPWARDS_INSIDE_FUNCTIONS
    return ROOMS.index(high) > ROOMS.index(low) and not named


def test_every_room_has_its_place():
    assert {room(module) for module in FILES} <= set(ROOMS)


def test_no_arrow_upwards():
    assert [str(found) for found in OWN if is_upwards(found)] == []


@pytest.mark.parametrize(
    ("module", "line", "upwards"),
    [
        ("p2pselect.nn._masking", "from p2pselect.methods._p2p import P2PClassifier", True),
        ("p2pselect.nn._masking", "from p2pselect.exceptions import InputError", False),
        ("p2pselect.metrics._rows", "import p2pselect.explanations.figures._panels", True),
        (
            "p2pselect.explanations._explanation",
            "import p2pselect.explanations.figures._panels",
            True,
        ),
        (
            "p2pselect.explanations._explanation",
            "def plot():\n import p2pselect.explanations.figures._panels",
            False,
        ),
        (
            "p2pselect.nn._masking",
            "def f():\n import p2pselect.explanations.figures._panels",
            True,
        ),
        ("p2pselect.metrics._rows", "from p2pselect import P2PClassifier", True),
        ("p2pselect.cli._demo", "from p2pselect import P2PClassifier", False),
        ("p2pselect.images._checks", "if TYPE_CHECKING:\n import p2pselect.cli", True),
    ],
)
def test_an_arrow_upwards_is_seen(module, line, upwards):
    assert [is_upwards(found) for found in imports_of(module, line)] == [upwards]


def test_exceptions_to_the_order_are_all_in_use():
    arrows = {(room(i.source), room(i.target)) for i in OWN if i.when == "called"}
    assert UPWARDS_INSIDE_FUNCTIONS <= arrows


def test_no_cycle_between_modules():
    graph: dict[str, set[str]] = {module: set() for module in FILES}
    for found in OWN:
        if found.when == "loaded" and found.target != found.source:
            graph[found.source].add(found.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other: {' <- '.join(error.args[1])}")


def test_imports_are_absolute():
    relative = [
        module
        for module, file in FILES.items()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


def test_networks_know_nothing_of_estimators_or_their_libraries():
    low = [i for i in IMPORTS if room(i.source) in ("nn", "objectives")]
    assert [str(i) for i in low if i.target.partition(".")[0] in ("sklearn", "skorch")] == []


def test_files_hold_one_idea():
    lines = {m: len(f.read_text(encoding="utf-8").splitlines()) for m, f in FILES.items()}
    assert {module: n for module, n in lines.items() if n > MAX_LINES} == {}


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
