"""Fixtures shared by all tests, and the rule that a skip has to be justified."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from skip_reasons import local_folder, objection, without_local


def _local(variable: str) -> Path:
    folder = local_folder(variable)
    if not folder.is_dir():
        pytest.skip(without_local(variable))
    return folder


@pytest.fixture(scope="session")
def emoji_scenes() -> Path:
    """Folder of the emoji_scenes images (labels.csv, SPLIT/images, SPLIT/masks)."""
    return _local("P2PSELECT_EMOJI_SCENES")


@pytest.fixture(scope="session")
def weights_dir() -> Path:
    """Folder of ImageNet weights for timm's mobilenetv2_100 and tf_efficientnet_lite0."""
    return _local("P2PSELECT_WEIGHTS")


@pytest.fixture(autouse=True, scope="session")
def _one_torch_thread() -> None:
    # The networks of the tests are tiny: more threads only add overhead.
    torch.set_num_threads(1)


def _fail_unless_justified(report: Any) -> Any:
    # A strict expected failure is reported as skipped, too; it is none.
    if report.skipped and not hasattr(report, "wasxfail"):
        path, line, message = report.longrepr
        wrong = objection(message.removeprefix("Skipped: "))
        if wrong is not None:
            report.outcome = "failed"
            report.longrepr = f"{path}:{line}: {wrong}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[Any]:
    return _fail_unless_justified((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[Any]:
    return _fail_unless_justified((yield))
