"""One made-up explanation for all figures."""

import pytest
from sklearn.utils import Bunch

from p2pselect.explanations import example_explanation


@pytest.fixture(scope="session")
def made() -> Bunch:
    """Explanation, true labels and object masks of a dozen digit scenes."""
    return example_explanation(n_images=12, random_state=3)
