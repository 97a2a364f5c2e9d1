"""Methods whose classifier sees continuous masks claim no less than what was visible."""

import numpy as np
import pytest

from p2pselect.exceptions import InputError
from p2pselect.explanations._summary import explanation_summary
from p2pselect.explanations.figures._photographs import photograph
from p2pselect.explanations.figures._words import sparsity_words
from p2pselect.explanations.report._payload import image_payload
from p2pselect.methods import (
    BcosClassifier,
    COMET1Classifier,
    COMETClassifier,
    InfoMaskClassifier,
    RBAEMClassifier,
)
from p2pselect.metrics._scores import SCORES

METHODS = {
    "bcos": (BcosClassifier, {}),
    "comet": (COMETClassifier, {}),
    "comet1": (COMET1Classifier, {}),
    "infomask": (InfoMaskClassifier, {}),
    "rbaem": (RBAEMClassifier, {"mask": "soft"}),
}


@pytest.fixture(scope="module", params=METHODS)
def fitted(request, make, X, y):
    method, settings = METHODS[request.param]
    return make(method, regions="pixel", tau=0.1, max_epochs=0, **settings).fit(X, y)


def test_what_is_reported_as_kept_is_what_was_visible(fitted, X):
    exp = fitted.explain(X, tau=0.05)
    assert (exp.pixel_masks.mean(axis=(1, 2)) <= 0.05 + 1e-9).all()
    seen = (exp.masked_images > 0).any(axis=-1) | (exp.images == 0).all(axis=-1)
    visible = exp.to_pixels(exp.soft_region_masks) > 0
    assert (visible <= seen).all()
    assert visible.mean() > 0.5
    np.testing.assert_allclose(exp.kept_fraction, visible.mean(axis=(1, 2)))
    share = exp.kept_fraction.mean()
    score, _, greater_is_better = SCORES["neg_kept_fraction"]
    assert score(exp) == pytest.approx(share) and not greater_is_better
    assert f"kept {share:.1%}" in repr(exp)
    rows = [row for row in explanation_summary(exp) if row["n_images"]]
    kept = np.average([r["kept_fraction"] for r in rows], weights=[r["n_images"] for r in rows])
    assert kept == pytest.approx(share)
    payload = image_payload(exp[0], photograph(exp, 0))
    assert payload["kept"] == pytest.approx(exp.kept_fraction[0], abs=1e-4)
    assert payload["keptRegions"] == exp.visible_region_masks[0].sum()
    assert sparsity_words(exp, 0).startswith("saw ")


def test_a_bound_on_what_is_seen_is_refused(fitted, X):
    with pytest.raises(InputError, match=r"max_kept=0\.05 needs a classifier that sees binary"):
        fitted.explain(X, max_kept=0.05)
    with pytest.raises(InputError, match="tau='dynamic' needs a classifier that sees binary"):
        fitted.explain(X, tau="dynamic")


def test_binary_masks_of_the_same_methods_are_bounded(make, X, y):
    for method in (COMETClassifier, InfoMaskClassifier, RBAEMClassifier):
        clf = make(method, regions="pixel", tau=0.1, max_epochs=0, mask="hard").fit(X, y)
        assert (clf.explain(X, max_kept=0.05).kept_fraction <= 0.05).all()
        assert (clf.explain(X).kept_fraction <= 0.1).all()
