"""Named settings: plain dictionaries of constructor arguments, each with its source.

Examples
--------
>>> from p2pselect import P2PClassifier, presets
>>> clf = P2PClassifier(**{**presets.SMALL, "max_epochs": 5})
>>> clf.image_size
64
"""

from typing import Any

from p2pselect.regions.transformer import SuperpixelTransformer

#: For a few hundred to some ten thousand images, on a CPU: small timm networks from random
#: weights at 64 pixels.  Source: our own trials on the training split of
#: :func:`p2pselect.datasets.make_digit_scenes`.
SMALL: dict[str, Any] = {
    "selector": "test_resnet",
    "selector_options": {"strides": (4, 16), "head_channels": 64},
    "classifier": "test_resnet",
    "pretrained": False,
    "image_size": 64,
    "regions": SuperpixelTransformer(n_segments=64),
    "max_epochs": 18,
    "warmup_epochs": 5,
    "batch_size": 32,
    "lr": 4e-3,
    "optimizer": "adamw",
    "lr_schedule": "onecycle",
    "weight_decay": 0.01,
    "augment": "shift",
    "certainty_threshold": 0.95,
}
