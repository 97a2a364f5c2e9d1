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

    ``batches`` are images (b, 3, h, w) in [0, 1] with their class numbers.  Returns False, with
    the network as it was, if its head is not a single linear layer, or there is one class only.
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
    labels = np.concatenate(target)
    if len(np.unique(labels)) < 2:
        return False
    fitted = LogisticRegression(C=PENALTY, max_iter=2000).fit(np.concatenate(features), labels)
    weight, bias = fitted.coef_, fitted.intercept_
    if len(weight) == 1:  # two classes share one row
        weight, bias = np.stack([-weight[0], weight[0]]) / 2, np.array([-bias[0], bias[0]]) / 2
    with torch.no_grad():
        rows = torch.from_numpy(fitted.classes_)
        head.weight[rows] = torch.from_numpy(weight).to(head.weight)
        head.bias[rows] = torch.from_numpy(bias).to(head.bias)
    return True
