"""What the documentation says is true: code runs, commands exist, nothing is missing."""

import ast
import configparser
import inspect
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if "_build" not in page.parts]

#: Modules whose names are public: those in ``__all__``, or else those without underscore.
PUBLIC = """
    p2pselect p2pselect.methods p2pselect.reproduction p2pselect.datasets
    p2pselect.exceptions p2pselect.images p2pselect.metrics p2pselect.model_selection
    p2pselect.persistence p2pselect.explanations p2pselect.presets p2pselect.distributed
    p2pselect.regions p2pselect.onnx_export p2pselect.testing
""".split()

_BLOCK = re.compile(r"(<!-- not run: [^>]+-->\n)?```python\n(.*?)```", re.DOTALL)


def blocks(page: Path) -> list[tuple[str, bool]]:
    """Python blocks of a page, and whether they are to be run."""
    text = page.read_text(encoding="utf-8")
    return [(code, not unrun) for unrun, code in _BLOCK.findall(text)]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


# -- code ------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A folder with images to work in, and settings that train in a second."""
    from p2pselect import SuperpixelTransformer, datasets, presets

    few = datasets.make_digit_scenes

    def fewer(n_samples=2000, *size, **options):
        return few(min(n_samples, 36), *size, **options)

    monkeypatch.setattr(datasets, "make_digit_scenes", fewer)
    regions = SuperpixelTransformer(n_segments=16)
    few_epochs = {"max_epochs": 1, "warmup_epochs": 0, "regions": regions}
    monkeypatch.setattr(presets, "SMALL", {**presets.SMALL, **few_epochs})
    monkeypatch.chdir(tmp_path)
    scenes = few(24, 32, random_state=0)
    rows = ["path,label"]
    for i, (image, mask) in enumerate(zip(scenes.images, scenes.masks, strict=True)):
        label = ("healthy", "rust")[i % 2]
        for folder, pixels, ending in (
            ("train", image, "jpg"),
            ("test/images", image, "jpg"),
            ("test/masks", mask.astype(np.uint8) * 255, "png"),
        ):
            file = Path("leaves", folder, label, f"{i}.{ending}")
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(file)
        rows.append(f"leaves/train/{label}/{i}.jpg,{label}")
    Path("leaves.csv").write_text("\n".join(rows))


def run(page: Path, names: dict[str, Any]) -> None:
    for code, wanted in blocks(page):
        if wanted:
            exec(compile(code, name_of(page), "exec"), names)


def test_readme_code_runs(small):
    run(README, {})


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p) and p != README], ids=name_of)
def test_code_of_a_page_runs(page, small):
    from p2pselect import P2PClassifier, datasets, presets

    scenes = datasets.make_digit_scenes(36, 32, random_state=0)
    clf = P2PClassifier(**{**presets.SMALL, "image_size": 32}, random_state=0)
    names = {"X": scenes.images, "y": scenes.target % 2, "M": scenes.masks}
    run(page, {**names, "image": scenes.images[0], "clf": clf, "np": np})


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_code_is_python(page):
    for code, _ in blocks(page):
        ast.parse(code)


# -- commands --------------------------------------------------------------------------------


def readme_commands() -> list[str]:
    found = re.findall(r"```\n(.*?)\n```", README.read_text(encoding="utf-8"), re.DOTALL)
    return [line for text in found for line in text.splitlines()]


def test_readme_says_what_ci_and_tox_run():
    tests = [line for line in readme_commands() if "python -m pytest" in line]
    assert len(tests) == 1
    assert "grep -m1 'python -m pytest' README.md" in (ROOT / ".ci/run").read_text()
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    command, extra = tox["testenv"]["commands"], tox["testenv"]["extras"]
    assert tests[0].endswith(f'".[{extra}]" && .venv/bin/' + command.removesuffix(" {posargs}"))


def test_ci_runs_style_types_and_documentation_as_tox_does():
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    steps = re.findall(r"^step (\w.*)$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    wanted = [tox[f"testenv:{name}"]["commands"] for name in ("lint", "types", "docs")]
    assert steps == "\n".join(wanted).strip().splitlines()


def test_every_command_line_is_understood(capsys):
    """Commands of the pages have options that the program has."""
    from p2pselect.cli import main

    said = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        said += re.findall(r"^(?:.*&& \S*/)?(p2pselect [a-z].*)$", text, re.MULTILINE)
    assert any(line.startswith("p2pselect demo") for line in said)
    for line in said:
        command, *words = shlex.split(line.partition(">")[0], comments=True)[1:]
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert options <= set(re.findall(r"--[a-z-]+", capsys.readouterr().out)), line


# -- reference -------------------------------------------------------------------------------


def public_names() -> Iterator[tuple[str, str, Any]]:
    """Module, name and object of everything public."""
    for where in PUBLIC:
        module = import_module(where)
        names = getattr(module, "__all__", None) or [
            name
            for name, value in vars(module).items()
            if not name.startswith("_")
            and (getattr(value, "__module__", None) == where or isinstance(value, dict))
        ]
        for name in names:
            if not name.startswith("__") and not inspect.ismodule(getattr(module, name)):
                yield where, name, getattr(module, name)


NAMES = list(public_names())


def referenced() -> set[str]:
    """Names that the reference lists, or that a module it documents as a whole has."""
    text = "\n".join(p.read_text() for p in sorted((ROOT / "docs/reference").glob("*.rst")))
    whole = re.findall(r"automodule:: (\S+)\n   :members:", text)
    listed = set(re.findall(r"^   (\w+)$", text.replace("   baselines\n", ""), re.MULTILINE))
    listed |= set(re.findall(r"autodata:: \S+\.(\w+)", text))
    return listed | {name for where, name, _ in NAMES if where in whole}


def test_the_reference_has_every_public_name():
    assert {name for _, name, _ in NAMES} - referenced() == set()


def test_the_reference_has_no_other_name():
    assert referenced() - {name for _, name, _ in NAMES} == set()


# -- docstrings ------------------------------------------------------------------------------


def documented(text: str, section: str) -> list[str] | None:
    """Names in a section of a numpydoc docstring; None without the section."""
    lines = text.splitlines()
    heads = [i - 1 for i, line in enumerate(lines) if re.fullmatch("-{3,}", line)]
    for start, end in pairwise([*heads, len(lines)]):
        if lines[start] == section:
            entries = [line for line in lines[start + 2 : end] if line[:1].strip()]
            names = [name for line in entries for name in line.partition(" : ")[0].split(",")]
            return [name.strip().lstrip("*") for name in names]
    return None


def callables() -> dict[str, Any]:
    """Public functions and classes, and the public methods that the classes define."""
    found: dict[str, Any] = {}
    for where, name, value in NAMES:
        if not callable(value) or isinstance(value, type) and issubclass(value, BaseException):
            continue
        found[f"{where}.{name}"] = value
        for cls in value.__mro__ if isinstance(value, type) else ():
            if cls.__module__.startswith("p2pselect"):
                for method, function in vars(cls).items():
                    function = getattr(function, "__func__", function)
                    if not method.startswith("_") and inspect.isfunction(function):
                        found.setdefault(f"{cls.__name__}.{method}", function)
    return found


CALLABLES = callables()


def signature_of(value: Any) -> list[str]:
    return [name for name in inspect.signature(value).parameters if name not in ("self", "cls")]


#: Said once, where the class is documented or at ``fit``; a method may leave them out,
#: and one whose single sentence says it all may leave out all of them.
EVIDENT = {"X", "y", "regions", "path"}


def complaint(name: str, value: Any) -> str | None:
    """What is wrong with a docstring."""
    text = inspect.getdoc(value)
    if not text:
        return "has no docstring"
    takes = sorted(signature_of(value))
    said = documented(text, "Parameters") or documented(text, "Attributes")
    if said is None:
        is_method = not name.startswith(tuple(f"{module}." for module in PUBLIC))
        made_for_you = "Made by" in text
        evident = is_method and (set(takes) <= EVIDENT or "\n" not in text)
        return None if evident or made_for_you or not takes else f"documents nothing of {takes}"
    if "shared" in said:  # a method of the common base names what is its own
        return None if set(said) <= {*takes, "shared"} else f"documents {said}, takes {takes}"
    return None if sorted(said) == takes else f"documents {sorted(said)}, takes {takes}"


def test_docstrings_name_the_parameters():
    found = {name: complaint(name, value) for name, value in CALLABLES.items()}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_every_public_name_has_an_example():
    named = {f"{where}.{name}": value for where, name, value in NAMES if callable(value)}
    errors = {
        k for k, v in named.items() if isinstance(v, type) and issubclass(v, BaseException)
    }
    assert {k for k, v in named.items() if ">>>" not in inspect.getdoc(v)} - errors == set()


def test_a_wrong_docstring_is_found():
    def scale(x, factor, *rest):
        """Scale.

        Parameters
        ----------
        x, factor : float
            Both.

        Returns
        -------
        y : float
        """

    assert complaint("p2pselect.scale", scale) == (
        "documents ['factor', 'x'], takes ['factor', 'rest', 'x']"
    )
