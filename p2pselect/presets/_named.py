"""Settings with names, each with its source."""

from __future__ import annotations

from typing import Any

from p2pselect.presets._preset import Preset
from p2pselect.regions._transformer import SuperpixelTransformer

#: For a few hundred to some ten thousand images, on a CPU: small timm networks from random
#: weights at 64 pixels.  Source: our own trials on the training split of
#: :func:`p2pselect.datasets.make_digit_scenes`.
SMALL = Preset(
    selector="test_resnet",
    networks__selector_options={"strides": (4, 16), "head_channels": 64},
    classifier="test_resnet",
    pretrained=False,
    image_size=64,
    regions=SuperpixelTransformer(n_segments=64),
    max_epochs=20,
    objective__warmup_epochs=2,
    batch_size=32,
    lr=4e-3,
    training__optimizer="adamw",
    training__lr_schedule="onecycle",
    training__weight_decay=0.01,
    augment="shift+tint",
    certainty_threshold=0.95,
)

#: For some hundred to some ten thousand photographs: pretrained timm networks, half of whose
#: layers keep their weights, at 128 pixels, so that about 1,000 images take about ten minutes
#: on a CPU.  The head of the classifier learns first, and most images are classified under
#: random masks, which keeps the label out of the choice of regions.  Images show 30 % on
#: average, which leaves room for those that are harder than the ones held out.  Source: our own
#: trials on the training splits of sets of 1,000 photographs.
PHOTOS = Preset(
    selector="mobilenetv2_100",
    classifier="tf_efficientnet_lite0",
    pretrained="auto",
    networks__frozen_share=0.5,
    image_size=128,
    regions=SuperpixelTransformer(n_segments=100),
    max_epochs=20,
    objective__warmup_epochs=2,
    objective__head_first=True,
    batch_size=32,
    lr=1e-3,
    training__optimizer="adamw",
    training__lr_schedule="onecycle",
    training__weight_decay=0.05,
    augment="affine+tint",
    selection="budget",
    certainty_threshold=0.99,
    search__calibration="held_out",
    search__mean_kept=0.3,
)

_PAPER: dict[str, Any] = {
    "selector": "lraspp_mobilenet_v3_large",  # section 4
    "classifier": "vit_tiny_patch16_224",  # section 4
    "pretrained": "auto",
    "image_size": 224,  # section 4
    "regions": SuperpixelTransformer(n_segments=100),  # section 4; their m = 20 is our 14
    "max_epochs": 100,  # section 4
    "objective__warmup_epochs": 0,
    "batch_size": 64,  # section 4
    "lr": 1e-4,  # section 4
    "training__optimizer": "adam",  # section 4
    "objective__random_share": 0.0,  # the paper speaks of none
    "objective__sparsity_weight": 10.0,  # section 4
    "objective__covariance_weight": 0.01,  # section 4
    "networks__embedding_dim": 3,  # section 3
    "search__tau_min": 0.05,  # section 3
    "certainty_threshold": 0.99,  # section 4
    "networks__tau_input": "additive",  # released code
    "search__allow_empty": True,  # released code
    "search__fallback": "everything",  # equation 4
    "augment": "paper",  # released code
    "validation": None,  # the paper speaks of none
}

#: The paper's P2P, by dataset: everything not named here is a default of
#: :class:`~p2pselect.P2PClassifier`.  Source of each value: the comment beside it.
PAPER: dict[str, Preset] = {
    "cifar10": Preset(**{**_PAPER, "augment": "paper-crop"}),  # released code
    "coco10": Preset(**_PAPER),
    "imagenet9": Preset(**_PAPER),
    "bam_object": Preset(**_PAPER),
    "bam_scene": Preset(**_PAPER),
    "imagenet": Preset(**{**_PAPER, "max_epochs": 20, "certainty_threshold": 0.8}),  # section 4
}

#: Fraction of pixels that the paper grants its baselines, by dataset (section 4).
PAPER_TAU: dict[str, float] = {
    "cifar10": 0.2,
    "coco10": 0.4,
    "imagenet": 0.5,
    "imagenet9": 0.3,
    "bam_object": 0.2,
    "bam_scene": 0.2,
}
