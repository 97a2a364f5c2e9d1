"""Check the changelog of a branch (``BASE``) or of a release (``--release 0.1.0``)."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def sections(text: str) -> dict[str, str]:
    """Versions in a changelog, newest first, each with the words that follow it in brackets."""
    return dict(re.findall(r"^## (\S+)(?: \((.*)\))?$", text, re.MULTILINE))


def missing_entry(changed: list[str]) -> str | None:
    """What is wrong with a set of changed files; None where nothing is."""
    package = [name for name in changed if name.startswith("p2pselect/")]
    if package and "CHANGELOG.md" not in changed:
        return (
            f"{package[0]} has changed and CHANGELOG.md has not: add a line for users, or the "
            "label 'no changelog needed' if they will not notice"
        )
    return None


def unreleasable(version: str, changelog: str, package: str) -> str | None:
    """What keeps a version from being released; None where nothing does."""
    if f'__version__ = "{version}"' not in package:
        return f"p2pselect.__version__ is not {version}"
    found = sections(changelog)
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", found.get(version, "")):
        return f"CHANGELOG.md needs a section '## {version} (YYYY-MM-DD)'"
    return None


def main(arguments: list[str]) -> str | None:
    if arguments[0] == "--release":
        changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        package = (ROOT / "p2pselect/__init__.py").read_text(encoding="utf-8")
        return unreleasable(arguments[1], changelog, package)
    command = ["git", "diff", "--name-only", f"{arguments[0]}...HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return missing_entry(done.stdout.splitlines())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
