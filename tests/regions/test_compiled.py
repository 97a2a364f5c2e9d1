import os
import subprocess
import sys

import pytest

from p2pselect.regions import _compiled as module
from p2pselect.regions._compiled import compiled

SCRIPT = """
from p2pselect.regions._compiled import compiled

@compiled
def double(x):
    return 2 * x

print(double(21))
"""


@pytest.mark.parametrize("blocked", [("user",), ("user", "beside", "home")])
def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path, blocked):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    wall = tmp_path / "wall"
    wall.write_text("a file where a folder is wanted")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(wall / "cache")}
    if "beside" in blocked:
        (tmp_path / "__pycache__").write_text("not a folder")
    if "home" in blocked:
        environment |= {"HOME": str(wall), "XDG_CACHE_HOME": str(wall / "cache")}
    run = subprocess.run(
        [sys.executable, str(script)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert run.stdout.strip() == "42", run.stderr


def test_a_cache_that_goes_away_costs_only_time(monkeypatch):
    def triple(x):
        return 3 * x

    calls = []

    def njit(**options):
        def decorate(function):
            def kernel(*args):
                calls.append(options)
                if len(calls) == 1:
                    raise OSError("no space left on device")
                return function(*args)

            return kernel

        return decorate

    monkeypatch.setattr(module.numba, "njit", njit)
    assert compiled(triple)(5) == 15
    assert len(calls) == 2


def test_missing_cache_folder_is_made(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    folder = tmp_path / "not" / "there"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
    command = [sys.executable, str(script)]
    assert subprocess.run(command, env=environment, timeout=240).returncode == 0
    assert any(folder.rglob("*.nbc"))
