import os
import subprocess
import sys

import numpy as np
import pytest

from p2pselect.regions import _compiled as module
from p2pselect.regions._compiled import compiled
from p2pselect.regions._slic import slic

SCRIPT = """
from p2pselect.regions._compiled import compiled
from p2pselect.regions._slic import slic

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


WITHOUT = """
import sys

sys.modules["numba"] = None
import numpy as np
from p2pselect.regions._slic import slic

images = np.load(sys.argv[1])
np.savez(sys.argv[2], *[slic(images[name], n_segments=9) for name in images.files])
"""


def test_without_numba_the_labels_are_the_same(tmp_path):
    rng = np.random.default_rng(0)
    smooth = rng.integers(0, 256, (4, 5, 3)).repeat(7, axis=0).repeat(6, axis=1)
    images = [
        smooth.astype(np.uint8),
        np.clip(smooth + rng.normal(0, 20, smooth.shape), 0, 255).astype(np.uint8),
        # Bright and flat, where bytes that are added up as bytes overflow.
        np.full((24, 30, 3), 250, np.uint8),
        rng.integers(0, 256, (20, 31, 1), np.uint8),
        rng.integers(0, 256, (25, 20, 4), np.uint8),
        rng.integers(0, 256, (1, 1, 3), np.uint8),
    ]
    np.savez(tmp_path / "images.npz", *images)
    command = [sys.executable, "-c", WITHOUT, tmp_path / "images.npz", tmp_path / "labels.npz"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("numba is not installed") == 1 and "overflow" not in done.stderr
    labels = np.load(tmp_path / "labels.npz")
    for image, name in zip(images, labels.files, strict=True):
        np.testing.assert_array_equal(labels[name], slic(image, n_segments=9))
