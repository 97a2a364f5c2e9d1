"""Images that the tests of regions share."""

import numpy as np
import pytest
from skimage import data, transform


@pytest.fixture(scope="session")
def photographs() -> np.ndarray:
    """Four photographs, uint8 (4, 96, 96, 3)."""
    pictures = (data.astronaut(), data.coffee(), data.chelsea(), data.rocket())
    small = [transform.resize(p[..., :3], (96, 96), anti_aliasing=True) for p in pictures]
    return np.rint(np.stack(small) * 255).astype(np.uint8)
