"""The paper's evaluation as two suites: a small one for a laptop, and the paper's own."""

from __future__ import annotations

from typing import Any

from p2pselect import presets
from p2pselect.methods import METHODS
from p2pselect.regions._transformer import SuperpixelTransformer
from p2pselect.reproduction._suite import BLACKBOX, P2P, Plan, Suite, Variant


def _slic(n_segments: int) -> SuperpixelTransformer:
    return SuperpixelTransformer(n_segments=n_segments)


def _as_it_comes(method: str) -> Variant:
    return {"p2p": P2P, "blackbox": BLACKBOX}.get(
        method, Variant(method, group="blackbox" if method == "blackbox_pixel" else "method")
    )


#: P2P and all published methods that it is compared with.
MAIN = tuple(_as_it_comes(name) for name, row in METHODS.items() if row.variant_of is None)


def _ablations(n_segments: int) -> tuple[Variant, ...]:
    changes: dict[str, dict[str, Any]] = {
        "watershed": {
            "regions": SuperpixelTransformer(engine="watershed", n_segments=n_segments)
        },
        "grid": {"regions": SuperpixelTransformer(engine="grid", n_segments=n_segments)},
        # The covariance of thousands of pixels would be a matrix of gigabytes.
        "pixel": {"regions": "pixel", "networks__embedding_dim": 0},
        "no_covariance": {"networks__embedding_dim": 0},
        "straight_through": {"objective__straight_through": True},
    }
    return tuple(Variant("p2p", name, change, "ablation") for name, change in changes.items())


#: Run only on request: settings as released where the default repairs them, and the reverse;
#: P2P trained for a single tau (the paper's figure 4); the competitors on regions.
ON_REQUEST: tuple[Variant, ...] = (
    Variant("p2p", "trained_tau20", {"tau": 0.2}, "ablation"),
    # With its default settings, a step of DiET's released code moves a mask value by 0.003.
    Variant("diet", "released", {"convergence": "loss", "mask_step": 0.003}),
    Variant("amortized_diet"),
    Variant("rbaem", "repaired", {"center": "softargmax", "sigma_range": (0.16, 0.34)}),
    Variant("realx", "uniform", {"mask_rate": "uniform"}),
    Variant("realx", "gumbel", {"mask_rate": "uniform", "estimator": "gumbel"}),
    Variant("infomask", "mean", {"kl_reduction": "mean"}),
    Variant("comet1", "after", {"inversion": "after"}),
    Variant("comet", "slic", {"regions": _slic(64)}),
    Variant("realx", "slic", {"mask_rate": "uniform", "regions": _slic(64)}),
    Variant("infomask", "slic", {"kl_reduction": "mean", "regions": _slic(64)}),
    Variant("l2x", "slic", {"regions": _slic(64)}),
    Variant("invase", "slic", {"regions": _slic(64)}),
)

#: A shorter mask search with larger steps than DiET's default, which takes hours.
FAST_DIET = {"n_stages": 1, "max_steps": 12, "mask_step": 0.1}
_SMALL_SETTINGS = {**presets.SMALL, "objective__warmup_epochs": 1}
#: Fewer pixels and epochs than those of the preset, with which a training takes ten minutes.
_PHOTOS_SETTINGS = {**presets.PHOTOS, "max_epochs": 8, "objective__warmup_epochs": 1}
#: Scenes that are made on the spot or small, with small networks from random weights, and
#: photographs, with pretrained ones; the same number of epochs for all methods.
SMALL = Suite(
    name="small",
    plans={
        "digit_scenes": Plan(
            settings={**_SMALL_SETTINGS, "max_epochs": 14},
            epochs={},
            n_train=4000,
            n_test=500,
            changes={"diet": FAST_DIET},
        ),
        "emoji_object": Plan(
            # Fewer images and harder classes: more passes over them.
            settings={**_SMALL_SETTINGS, "max_epochs": 40},
            epochs={},
            n_train=1200,
            n_test=400,
            changes={"diet": FAST_DIET},
            ablations=("watershed",),
        ),
        "grocery20": Plan(
            settings={**_PHOTOS_SETTINGS, "image_size": 96},
            epochs={},
            changes={"diet": FAST_DIET},
            ablations=(),
        ),
        "coffee_leaf": Plan(
            # Twice as wide as high, like the photographs.
            settings={**_PHOTOS_SETTINGS, "image_size": (64, 128)},
            epochs={},
            changes={"diet": FAST_DIET},
            ablations=(),
        ),
    },
    variants=(*MAIN, *_ablations(64)),
    on_request=(
        *ON_REQUEST,
        Variant("p2p", "additive", {"networks__tau_input": "additive"}, "ablation"),
    ),
    n_curve_images=100,
)

_OUR_DATASETS = ("digit_scenes", "digit_scenes_scene", "emoji_object", "emoji_scene")

#: The paper's networks, epochs and seeds, on its data sets and on ours.
PAPER = Suite(
    name="paper",
    plans={
        name: Plan(
            # Those of bam_object are the paper's settings without a change for one data set.
            settings=presets.PAPER.get(name, presets.PAPER["bam_object"]),
            epochs={},
            tau=presets.PAPER_TAU.get(name),
        )
        for name in (*presets.PAPER, *_OUR_DATASETS)
    },
    variants=(
        *MAIN,
        *_ablations(100),
        Variant("p2p", "logit", {"networks__tau_input": "logit"}, "ablation"),
        Variant("p2p", "scratch", {"pretrained": False}, "ablation"),
    ),
    on_request=ON_REQUEST,
    seeds=tuple(range(10)),
    n_ablation_seeds=3,
    n_curve_images=1000,
)

SUITES: dict[str, Suite] = {suite.name: suite for suite in (SMALL, PAPER)}
