"""Damaged images are found before anything is trained."""

import numpy as np
import pytest
from PIL import Image

from p2pselect import P2PClassifier, presets
from p2pselect.estimators import _fitting, _training_images
from p2pselect.exceptions import ImageReadError


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(12):
        pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number:02}.png")
    return sorted(tmp_path.iterdir())


@pytest.mark.parametrize("region_memory", [1000, _training_images.REGION_MEMORY])
@pytest.mark.parametrize("augment", ["paper", "shift+tint", None])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_nothing_is_trained_nor_proposed(method, augment, region_memory, files, monkeypatch):
    files[5].write_bytes(b"")
    files[11].write_bytes(files[11].read_bytes()[:-200])
    done = []
    monkeypatch.setattr(_training_images, "REGION_MEMORY", region_memory)
    monkeypatch.setattr(_fitting, "train", lambda *args: done.append("trained"))
    monkeypatch.setattr(_training_images, "propose_all", lambda *args: done.append("proposed"))
    clf = P2PClassifier(**{**presets.SMALL, "image_size": 32, "augment": augment})
    with pytest.raises(ImageReadError, match=r"2 of 12 (?s:.*)05.png.*\n.*11.png: .*truncated"):
        getattr(clf, method)(files, [0, 1] * 6)
    assert done == [] and not hasattr(clf, "classes_")
