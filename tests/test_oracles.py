"""Oracles are worth something only if they share no code with what they judge."""

import ast
import sys
from pathlib import Path

import pytest

ORACLES = Path(__file__).parent / "oracles"
#: Not an oracle: a stand-in for an estimator, which has to return an Explanation.
STAND_IN = "toy_classifier"
LIBRARIES = {"numpy", "scipy", "skimage", "torch"}


def imported(source):
    """First names of all modules that a text imports, wherever it does."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "oracles import by full names"
            yield str(node.module).partition(".")[0]
        elif isinstance(node, ast.Name) and node.id in (
            "__import__",
            "importlib",
        ):  # by a name that is hidden
            yield node.id


@pytest.mark.parametrize(
    "name", sorted(file.stem for file in ORACLES.glob("*.py") if file.stem != STAND_IN)
)
def test_oracles_share_no_code_with_what_they_judge(name):
    source = (ORACLES / f"{name}.py").read_text(encoding="utf-8")
    assert set(imported(source)) <= {*LIBRARIES, "oracles", *sys.stdlib_module_names}
    assert f"oracles.{STAND_IN}" not in source


@pytest.mark.parametrize(
    "source",
    [
        "import p2pselect",
        "def f():\n    from p2pselect.nn._masking import apply_mask",
        "import numpy, p2pselect.nn as nn",
        "importlib.import_module('p2pselect')",
    ],
)
def test_an_import_is_seen_wherever_it_is(source):
    assert set(imported(source)) & {"p2pselect", "importlib"}
