"""A skip without a reason that is listed and true is a failure."""

from pathlib import Path

import pytest
from skip_reasons import REASONS, objection

pytest_plugins = ["pytester"]

SKIPS = """
    import pytest

    def test_listed_and_true():
        pytest.skip("listed and true")

    @pytest.mark.skipif(True, reason="listed and false")
    def test_listed_and_false():
        pass

    @pytest.fixture
    def missing():
        pytest.skip("no time")

    def test_not_listed(missing):
        pass

    @pytest.mark.xfail(strict=True)
    def test_fails_as_expected():
        raise ValueError
"""


@pytest.fixture
def guarded(pytester, monkeypatch):
    """A folder of tests under the same rule, with reasons of its own."""
    monkeypatch.setitem(REASONS, "listed and true", lambda: True)
    monkeypatch.setitem(REASONS, "listed and false", lambda: False)
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text())
    return pytester


def test_a_skip_needs_a_reason_that_is_true(guarded):
    guarded.makepyfile(test_skips=SKIPS)
    result = guarded.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(skipped=1, errors=2, xfailed=1)
    result.stdout.fnmatch_lines_random(
        ["*not true on this machine: listed and false*", "*does not list: no time*"]
    )


def test_a_skip_of_a_whole_module_needs_one_too(guarded):
    guarded.makepyfile(
        test_all="import pytest\npytest.importorskip('no_such_module', reason='no time')"
    )
    result = guarded.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines_random(["*does not list: no time*"])


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_can_be_checked(reason):
    assert objection(reason) in (
        None,
        f"skipped for a reason that is not true on this machine: {reason}",
    )
