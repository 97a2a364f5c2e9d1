"""Links from the HTML representation of an estimator to its page."""

import pytest

from p2pselect import P2PClassifier, SuperpixelTransformer
from p2pselect.methods import COMETClassifier
from p2pselect.model_selection import CertaintySearchCV


@pytest.mark.parametrize(
    ("estimator", "page"),
    [
        (P2PClassifier(), "generated/p2pselect.P2PClassifier.html"),
        (SuperpixelTransformer(), "generated/p2pselect.regions.SuperpixelTransformer.html"),
        (COMETClassifier(), "generated/p2pselect.methods.COMETClassifier.html"),
        (
            CertaintySearchCV(P2PClassifier()),
            "generated/p2pselect.model_selection.CertaintySearchCV.html",
        ),
    ],
)
def test_representation_links_to_the_reference(estimator, page):
    html = estimator._repr_html_()
    assert f"https://p2pselect.readthedocs.io/en/stable/reference/{page}" in html


def test_a_class_of_the_user_has_no_page_here():
    class Mine(P2PClassifier):
        pass

    assert "readthedocs" not in Mine()._repr_html_()
