"""The explanation of four images with several labels each."""

import numpy as np

from p2pselect.explanations import Explanation

NAMES = np.array(["miner", "rust", "phoma"])
PROBA = np.array([[0.97, 0.02, 0.9], [0.3, 0.02, 0.1], [0.01, 0.99, 0.03], [0.6, 0.9, 0.2]])
SAID = ["miner, phoma", "none", "rust", "miner, rust"]
Y = np.array([[1, 0, 1], [1, 0, 0], [0, 1, 0], [1, 1, 0]])


def sick_leaves(target=None):
    """Four images of 4 x 4 regions; every mask of the path shows one region more."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.repeat(np.arange(16).reshape(1, 4, 4), 4, axis=1), 4, axis=2)
    scores = rng.permutation(16).astype(np.float32)
    tau = np.array([0.25, 0.5, 1.0])
    # Twice as far from one half at every step.
    path = np.stack([0.5 + (PROBA - 0.5) * share for share in (0.25, 0.5, 1)], axis=1)
    certainty = np.maximum(PROBA, 1 - PROBA)
    sure = certainty.min(axis=1) if target is None else certainty[:, target]
    return Explanation(
        images=rng.integers(0, 256, (4, 16, 16, 3), np.uint8),
        regions=np.repeat(labels, 4, axis=0).astype(np.int32),
        region_masks=np.ones((4, 16), bool),
        selection_logits=np.repeat(scores[None], 4, axis=0),
        selection_probs=np.full((4, 16), 0.9, np.float32),
        tau=np.ones(4),
        proba=PROBA.astype(np.float32),
        classes=NAMES,
        answered=sure >= 0.9,
        certainty_threshold=0.9,
        path_tau=tau,
        path_counts=np.repeat([[4, 8, 16]], 4, axis=0).astype(np.int32),
        path_proba=path.astype(np.float32),
        multilabel=True,
        target=None if target is None else str(NAMES[target]),
    )
