"""The head of a pretrained network, from a logistic regression on what its backbone says."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from p2pselect.nn._frozen import heads_of
from p2pselect.nn._image_network import ImageNetwork

#: Inverse strength of the penalty: strong, because features are more than images.
PENALTY = 0.01


def fit_head(network: ImageNetwork, batches: Iterable[tuple[Tensor, np.ndarray]]) -> bool:
    """Give the last layer the weights of a logistic regression on its own inputs.

    ``batches`` are images (b, 3, h, w) in [0, 1] with their class numbers (b,), or with 0 and 1
    for every label (b, n_labels), which have a regression each.  Returns False, with the
    network as it was, if its head is not a single linear layer, or there is one class only.
    """
    heads = heads_of(network.network)
    head = heads[0] if len(heads) == 1 else None
    if not isinstance(head, nn.Linear) or head.bias is None:
        return False
    features: list[np.ndarray] = []
    target: list[np.ndarray] = []
    hook = head.register_forward_pre_hook(
        lambda module, inputs: features.append(inputs[0].float().cpu().numpy())
    )
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            for images, own in batches:
                network(images)
                target.append(own)
    finally:
        hook.remove()
        network.train(was_training)
    inputs, labels = np.concatenate(features), np.concatenate(target)
    fitted = _of_labels(inputs, labels) if labels.ndim == 2 else _of_classes(inputs, labels)
    if not len(fitted[0]):
        return False
    rows, weight, bias = map(torch.from_numpy, fitted)
    with torch.no_grad():
        head.weight[rows] = weight.to(head.weight)
        head.bias[rows] = bias.to(head.bias)
    return True


def _of_classes(features: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, ...]:
    """Rows of the head, their weights, and their biases; none if there is one class only."""
    if len(np.unique(target)) < 2:
        return (np.empty(0, int),) * 3
    fitted = LogisticRegression(C=PENALTY, max_iter=2000).fit(features, target)
    weight, bias = fitted.coef_, fitted.intercept_
    if len(weight) == 1:  # two classes share one row
        weight, bias = np.stack([-weight[0], weight[0]]) / 2, np.array([-bias[0], bias[0]]) / 2
    return fitted.classes_, weight, bias


def _of_labels(features: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, ...]:
    """The same for labels, each of which has a row; none for those that never change."""
    rows = np.flatnonzero((target != target[0]).any(axis=0))
    fitted = [
        LogisticRegression(C=PENALTY, max_iter=2000).fit(features, target[:, row])
        for row in rows
    ]
    weight, bias = ([getattr(one, k)[0] for one in fitted] for k in ("coef_", "intercept_"))
    return rows, np.array(weight), np.array(bias)
