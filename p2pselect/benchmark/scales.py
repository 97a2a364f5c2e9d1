"""Which cells a benchmark has: explicit tables, nothing computed."""

from __future__ import annotations

from typing import Any

from p2pselect import presets
from p2pselect.benchmark.experiments import BLACKBOX, P2P, Plan, Scale, Training
from p2pselect.regions.transformer import SuperpixelTransformer


def _slic(n_segments: int) -> SuperpixelTransformer:
    return SuperpixelTransformer(n_segments=n_segments)


#: P2P and all methods that it is compared with, as they come.
MAIN: tuple[Training, ...] = (
    P2P,
    BLACKBOX,
    Training("blackbox_pixel", group="blackbox"),
    Training("comet1"),
    Training("diet"),
    Training("rbaem"),
    Training("realx"),
    Training("bcos"),
    Training("comet"),
    Training("infomask"),
    Training("l2x"),
    Training("invase"),
)


def _ablations(n_segments: int) -> tuple[Training, ...]:
    changes: dict[str, dict[str, Any]] = {
        "watershed": {
            "regions": SuperpixelTransformer(engine="watershed", n_segments=n_segments)
        },
        "grid": {"regions": SuperpixelTransformer(engine="grid", n_segments=n_segments)},
        # The covariance of thousands of pixels would be a matrix of gigabytes.
        "pixel": {"regions": "pixel", "embedding_dim": 0},
        "no_covariance": {"embedding_dim": 0},
        "straight_through": {"straight_through": True},
    }
    return tuple(Training("p2p", name, change, "ablation") for name, change in changes.items())


#: Faithful settings of what is repaired by default, repairs of what is faithful by default,
#: and the methods on regions: run when they are named.
VARIANTS: tuple[Training, ...] = (
    Training("diet", "released", {"convergence": "loss", "mask_step": 0.003}),
    Training("diet", "amortized", {"amortized": True}),
    Training("rbaem", "repaired", {"centre": "softargmax", "sigma_range": (0.16, 0.34)}),
    Training("realx", "uniform", {"mask_rate": "uniform"}),
    Training("realx", "gumbel", {"mask_rate": "uniform", "estimator": "gumbel"}),
    Training("infomask", "mean", {"kl_reduction": "mean"}),
    Training("comet", "slic", {"regions": _slic(64)}),
    Training("realx", "slic", {"mask_rate": "uniform", "regions": _slic(64)}),
    Training("infomask", "slic", {"kl_reduction": "mean", "regions": _slic(64)}),
    Training("l2x", "slic", {"regions": _slic(64)}),
    Training("invase", "slic", {"regions": _slic(64)}),
)

#: Fewer and larger steps of DiET's mask search than its default, which takes hours.
_FAST_DIET = {"n_stages": 1, "max_steps": 12, "mask_step": 0.1}
#: About as much CPU time as P2P's twelve epochs: an epoch costs from a third of P2P's (the
#: black boxes) to five times that (DiET).
_EPOCHS = {
    "p2p": 12,
    "ablation": 12,
    "blackbox": 12,
    "comet": 7,
    "comet1": 7,
    "diet": 1,
    "rbaem": 6,
    "realx": 5,
    "bcos": 9,
    "infomask": 10,
    "l2x": 10,
    "invase": 7,
}

#: Built-in and bundled sets, small networks from random weights, two cores, an hour.
SMALL = Scale(
    name="small",
    plans={
        "digit_scenes": Plan(
            settings={**presets.SMALL, "warmup_epochs": 1},
            epochs=_EPOCHS,
            n_train=4000,
            n_test=500,
            changes={"diet": _FAST_DIET},
        ),
        "emoji_object": Plan(
            settings={**presets.SMALL, "warmup_epochs": 1},
            epochs=_EPOCHS,
            n_train=1200,
            n_test=400,
            changes={"diet": _FAST_DIET},
        ),
    },
    trainings=(
        *MAIN,
        *_ablations(64),
        Training("p2p", "additive", {"tau_input": "additive"}, "ablation"),
    ),
    variants=VARIANTS,
    n_ablation_seeds=1,
    n_curve_images=150,
)


def _paper_plan(dataset: str) -> Plan:
    settings = presets.PAPER.get(dataset, presets.PAPER["bam_object"])
    return Plan(settings=settings, epochs={}, tau=presets.PAPER_TAU.get(dataset))


#: The paper's networks, epochs and seeds, on its data sets and on ours.
PAPER = Scale(
    name="paper",
    plans={
        name: _paper_plan(name)
        for name in (
            *presets.PAPER,
            "digit_scenes",
            "digit_scenes_scene",
            "emoji_object",
            "emoji_scene",
        )
    },
    trainings=(
        *MAIN,
        *_ablations(100),
        Training("p2p", "logit", {"tau_input": "logit"}, "ablation"),
        Training("p2p", "scratch", {"pretrained": False}, "ablation"),
    ),
    variants=VARIANTS,
    seeds=tuple(range(10)),
    n_ablation_seeds=3,
    n_curve_images=1000,
)

SCALES: dict[str, Scale] = {scale.name: scale for scale in (SMALL, PAPER)}
