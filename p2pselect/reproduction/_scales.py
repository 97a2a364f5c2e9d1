"""Which cells a benchmark has: explicit tables, nothing computed."""

from __future__ import annotations

from typing import Any

from p2pselect import presets
from p2pselect.regions._transformer import SuperpixelTransformer
from p2pselect.reproduction._experiments import BLACKBOX, P2P, Plan, Scale, Training


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
#: P2P trained for one tau (the paper's figure 4), and the methods on regions: run when they
#: are named.
VARIANTS: tuple[Training, ...] = (
    Training("p2p", "trained_tau20", {"tau": 0.2}, "ablation"),
    Training("diet", "released", {"convergence": "loss", "mask_step": 0.003}),
    Training("amortized_diet"),
    Training("rbaem", "repaired", {"center": "softargmax", "sigma_range": (0.16, 0.34)}),
    Training("realx", "uniform", {"mask_rate": "uniform"}),
    Training("realx", "gumbel", {"mask_rate": "uniform", "estimator": "gumbel"}),
    Training("infomask", "mean", {"kl_reduction": "mean"}),
    Training("comet1", "after", {"inversion": "after"}),
    Training("comet", "slic", {"regions": _slic(64)}),
    Training("realx", "slic", {"mask_rate": "uniform", "regions": _slic(64)}),
    Training("infomask", "slic", {"kl_reduction": "mean", "regions": _slic(64)}),
    Training("l2x", "slic", {"regions": _slic(64)}),
    Training("invase", "slic", {"regions": _slic(64)}),
)

#: Fewer and larger steps of DiET's mask search than its default, which takes hours.
_FAST_DIET = {"n_stages": 1, "max_steps": 12, "mask_step": 0.1}
#: The other methods get about two thirds of P2P's CPU time, so that all of it takes an hour:
#: an epoch costs from half of P2P's (the black boxes) to three times that (DiET).
_DIGIT_EPOCHS = {
    "p2p": 14,
    "ablation": 14,
    "blackbox": 14,
    "comet": 5,
    "comet1": 5,
    "diet": 1,
    "rbaem": 4,
    "realx": 4,
    "bcos": 6,
    "infomask": 7,
    "l2x": 7,
    "invase": 5,
}
#: Fewer images, harder classes: more passes over them.
_EMOJI_EPOCHS = {
    "p2p": 40,
    "ablation": 40,
    "blackbox": 40,
    "comet": 10,
    "comet1": 10,
    "diet": 2,
    "rbaem": 8,
    "realx": 8,
    "bcos": 12,
    "infomask": 14,
    "l2x": 14,
    "invase": 10,
}

#: Built-in and bundled sets, small networks from random weights, two cores, an hour.
SMALL = Scale(
    name="small",
    plans={
        "digit_scenes": Plan(
            settings={**presets.SMALL, "warmup_epochs": 1},
            epochs=_DIGIT_EPOCHS,
            n_train=4000,
            n_test=500,
            changes={"diet": _FAST_DIET},
        ),
        "emoji_object": Plan(
            settings={**presets.SMALL, "warmup_epochs": 1},
            epochs=_EMOJI_EPOCHS,
            n_train=1200,
            n_test=400,
            changes={"diet": _FAST_DIET},
            ablations=("watershed",),
        ),
    },
    trainings=(*MAIN, *_ablations(64)),
    variants=(
        *VARIANTS,
        Training("p2p", "additive", {"tau_input": "additive"}, "ablation"),
    ),
    n_ablation_seeds=1,
    n_curve_images=100,
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
