"""What the documentation says is true: code runs, commands exist, nothing is missing."""

import ast
import configparser
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from public_names import public_objects
from test_architecture import ROOMS
from test_runtime import NEEDED

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if "_build" not in page.parts]

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
    from p2pselect.presets import _suited

    few = datasets.make_digit_scenes

    def fewer(n_samples=2000, *size, **options):
        return few(min(n_samples, 36), *size, **options)

    monkeypatch.setattr(datasets, "make_digit_scenes", fewer)
    regions = SuperpixelTransformer(n_segments=16)
    quick = {"max_epochs": 1, "objective__warmup_epochs": 0, "regions": regions}
    quickly = presets.Preset(**presets.SMALL._settings | quick)
    monkeypatch.setattr(presets, "SMALL", quickly)
    monkeypatch.setattr(_suited, "SMALL", quickly)
    budget = replace(_suited.SMALL_ANYWHERE, epochs=1, steps=1, fewest_epochs=1)
    monkeypatch.setattr(_suited, "SMALL_ANYWHERE", budget)
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
        bird = Path("birds", ("robin", "wren")[i % 2], f"{i}.jpg")
        bird.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(bird)
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


_FILE = re.compile(r"`((?:p2pselect|tests|docs|benchmarks|examples|requirements)/[\w./-]+)`")


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=name_of)
def test_files_that_a_page_names_exist(page):
    named = _FILE.findall(page.read_text(encoding="utf-8"))
    assert [file for file in named if not (ROOT / file).exists()] == []


def test_the_architecture_page_lists_the_rooms_in_their_order():
    text = (ROOT / "docs/explanation/architecture.md").read_text(encoding="utf-8")
    table = text.split("## Where is")[0]
    cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    listed = re.findall(r"`(\w+)`", " ".join(cells))
    assert listed == [name for name in ROOMS if name not in ("p2pselect", "__main__")]


@pytest.mark.parametrize(
    ("words", "pages"),
    [
        ("Grad-CAM", ["explanation/coming-from.md", "glossary.md"]),
        ("heat map", ["explanation/coming-from.md", "glossary.md"]),
        ("bounding box", ["how-to/export.md", "glossary.md"]),
        ("early stopping", ["how-to/training.md", "how-to/gpu.md", "glossary.md"]),
        ("class_weight", ["how-to/class-imbalance.md"]),
    ],
)
def test_words_that_people_search_for_lead_to_a_page(words, pages):
    for page in pages:
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert words.lower() in " ".join(text.lower().split()), page


# -- commands --------------------------------------------------------------------------------


def readme_commands() -> list[str]:
    text = README.read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [line for language, text in found if not language for line in text.splitlines()]


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
    script = (ROOT / ".ci/run").read_text()
    steps = re.findall(r"^step (\w.*?)(?: >.* &)?$", script, re.MULTILINE)
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


def test_the_page_installs_what_a_runtime_needs():
    page = (ROOT / "docs/how-to/export.md").read_text(encoding="utf-8")
    command = re.search(r"^pip install (?!--no-deps)(.+)$", page, re.MULTILINE)
    assert set(command[1].split()) == NEEDED
    assert re.search(r"^pip install --no-deps p2pselect$", page, re.MULTILINE)


# -- reference -------------------------------------------------------------------------------

_MODULE = re.compile(r"^\.\. (?:currentmodule|automodule):: (\S+)$", re.MULTILINE)
_LISTED = re.compile(r"^   (\w+)$|^\.\. autodata:: (\S+)$", re.MULTILINE)


def listed_in_the_reference() -> list[str]:
    """Full names that the reference lists, module by module."""
    found = []
    for page in sorted((ROOT / "docs/reference").glob("*.rst")):
        parts = _MODULE.split(page.read_text(encoding="utf-8"))
        for module, text in zip(parts[1::2], parts[2::2], strict=True):
            if text.startswith("\n   :members:"):
                found += [name for name in OBJECTS if name.rpartition(".")[0] == module]
            found += [full or f"{module}.{name}" for name, full in _LISTED.findall(text)]
    return found


OBJECTS = public_objects()


def test_the_reference_lists_nothing_else_and_nothing_twice():
    listed = listed_in_the_reference()
    assert set(listed) - set(OBJECTS) == set()
    assert sorted(listed) == sorted(set(listed))


def test_the_reference_lists_every_public_name():
    """By one of its names: the package itself exports some of them a second time."""
    listed = {id(OBJECTS[name]) for name in listed_in_the_reference()}
    assert [name for name, value in OBJECTS.items() if id(value) not in listed] == []
