"""Loaded by pytest beside the tests of a fault: what they test must be the copy that has it."""

import os
from pathlib import Path

import pytest

ELSEWHERE = 99


def pytest_collection_finish(session: pytest.Session) -> None:
    import p2pselect

    copy, found = Path(os.environ["P2PSELECT_MUTANT"]), Path(p2pselect.__file__)
    if not found.resolve().is_relative_to(copy.resolve()):
        pytest.exit(f"the tests import {found}, not the copy in {copy}", returncode=ELSEWHERE)
