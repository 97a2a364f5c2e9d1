"""What a method declares a setting of prediction has no influence on its training."""

import numpy as np
import pytest
import torch

from p2pselect import presets
from p2pselect.exceptions import UnknownNameError
from p2pselect.methods import METHODS
from p2pselect.model_selection import CertaintySearchCV

#: Two values of every setting that a method may declare.
VALUES = {
    "search__allow_empty": (False, True),
    "images__display_channels": (None, (0, 1, 2)),
    "search__fallback": ("everything", "most_certain"),
    "certainty_threshold": (0.5, 0.99),
    "mask": ("soft", "hard"),
    "noise": (False, True),
    "selection": ("threshold", "budget"),
    "tau": (0.1, 0.6),
    "search__tau_step": (0.05, 0.3),
}
SETTINGS = {
    **presets.SMALL,
    "image_size": 16,
    "networks__selector_options": {"strides": (2, 4), "head_channels": 8},
    "regions": "grid",
    "max_epochs": 2,
    "objective__warmup_epochs": 0,
    "batch_size": 8,
    "augment": None,
    "random_state": 0,
    # Steps of DiET's search that reach an area of tau.
    "n_stages": 1,
    "max_steps": 4,
    "mask_step": 0.3,
    "cell_size": 4,
}
#: Method, more settings, and whether training depends on tau.
CASES = {
    "p2p-uniform": ({"objective__tau_training": "uniform"}, False),
    **{name: ({}, name not in ("blackbox", "bcos", "infomask")) for name in METHODS},
    "realx-penalty": ({"sparsity": "penalty"}, False),
    "realx-threshold": ({"sparsity": "threshold"}, False),
    "infomask-hinge": ({"sparsity": "hinge"}, True),
    "diet-penalty": ({"sparsity": "penalty"}, False),
    "l2x-penalty": ({"sparsity": "penalty"}, True),
    "comet-penalty": ({"sparsity": "penalty"}, True),
}


def build(case, **more):
    name = case.partition("-")[0]
    method = METHODS[name].cls
    settings = {**presets.settings_for(method, {"tau": 0.2, **SETTINGS}), **CASES[case][0]}
    return method().set_params(**settings | more)


def weights(clf, **setting):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
    fitted = clf.set_params(**setting).fit(X, np.arange(8) % 2)
    state = fitted.module_.state_dict().values()
    return torch.cat([value.flatten().double() for value in state])


@pytest.mark.filterwarnings("ignore:masks keep")
@pytest.mark.parametrize("case", CASES)
def test_declared_settings_do_not_change_what_is_learned_and_a_trained_tau_does(case):
    declared = build(case)._prediction_parameters()
    assert declared <= set(VALUES)
    # All at once: where the sum is the same, each is.
    low, high = ({name: VALUES[name][i] for name in declared} for i in (0, 1))
    assert torch.equal(weights(build(case), **low), weights(build(case), **high))
    assert ("tau" in declared) == (not CASES[case][1] and case != "blackbox")
    if CASES[case][1]:
        low, high = (weights(build(case), tau=tau) for tau in VALUES["tau"])
        assert low.shape != high.shape or not torch.equal(low, high)


@pytest.mark.parametrize("case", [case for case, (_, trains) in CASES.items() if trains])
def test_a_search_refuses_a_tau_that_is_trained_for(case):
    clf = build(case)
    with pytest.raises(
        UnknownNameError, match=r"param_grid: tau of .*search over it with Grid"
    ):
        CertaintySearchCV(clf, {"tau": [0.1, 0.5]}).fit(None, None)


def test_the_message_names_the_training_that_serves_every_tau():
    with pytest.raises(
        UnknownNameError, match="or set objective__tau_training='uniform', which trains"
    ):
        CertaintySearchCV(build("p2p", tau="dynamic"), {"tau": [0.1]}).fit(None, None)
