"""What several processes do together, and one process alone: python work.py FOLDER."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import EarlyStopping, EpochScoring
from torch import nn
from torch.utils.data import IterableDataset

from p2pselect import P2PClassifier, datasets, distributed, load, presets
from p2pselect.exceptions import InputError
from p2pselect.methods import COMETClassifier, DiETClassifier, L2XClassifier, RealXClassifier


def selector(n_maps):
    return nn.Conv2d(3, n_maps, 8, stride=4)


def classifier(n_classes):
    """No batch norm, which sees the images of one process only."""
    features = nn.Conv2d(3, 8, 8, stride=4), nn.GELU(), nn.Conv2d(8, 16, 3, stride=2)
    return nn.Sequential(*features, nn.GELU(), nn.Flatten(), nn.Linear(144, n_classes))


SETTINGS = {
    **presets.SMALL,
    "selector": selector,
    "classifier": classifier,
    "networks": None,
    "image_size": 32,
    "max_epochs": 2,
    "objective__warmup_epochs": 1,
    "batch_size": 16,
    "training__optimizer": "sgd",
    "lr": 0.05,
    "training__lr_schedule": "constant",
    "random_state": 0,
}
#: 3 batches of 16, and one of three images, which is not divided.
scenes = datasets.make_digit_scenes(51, image_size=32, random_state=0)
images, target = scenes.images, scenes.target % 3


def estimator(cls, **changes):
    settings = SETTINGS if cls is P2PClassifier else {**SETTINGS, "regions": "grid"}
    return cls().set_params(**{**presets.settings_for(cls, settings), **changes})


def described(clf, shown=images):
    exp = clf.explain(shown)
    weights = [p.detach().flatten() for p in clf.module_.parameters()]
    return {
        "proba": exp.proba.tolist(),
        "transform": clf.transform(shown).sum(axis=(1, 2)).tolist(),
        "selection_logits": np.nan_to_num(exp.selection_logits, neginf=0).tolist(),
        "loss": clf.history_[:, "train_loss"],
        "weights": float(torch.cat(weights).abs().mean()),
    }


class Stream(IterableDataset):
    """The same images, one after the other."""

    def __iter__(self):
        yield from zip(images, target, strict=True)


def methods():
    found = {}
    found["paper"] = estimator(P2PClassifier, augment="paper").fit(images, target)
    found["parts"] = estimator(P2PClassifier, training__micro_batch_size=3).fit(images, target)
    # Its losses are in the hundreds: smaller steps for the same precision.
    found["comet"] = estimator(COMETClassifier, tau=0.2, lr=1e-5).fit(images, target)
    found["realx"] = estimator(RealXClassifier, lr=1e-3).fit(images, target)
    found["l2x"] = estimator(L2XClassifier, regions="slic").fit(images, target)
    # No mask ends at 0, at tau or at the threshold, where rounding would decide.
    few = {"n_stages": 1, "max_steps": 3, "max_epochs": 1, "mask_step": 0.25}
    diet = estimator(DiETClassifier, **few)
    found["diet"] = diet.fit(images[:20], target[:20])
    found["stream"] = estimator(P2PClassifier).fit(Stream())
    return {name: described(clf) for name, clf in found.items()}


def with_own_group(folder):
    """A script that communicates itself, before and after the library does."""
    if "RANK" not in os.environ:
        return estimator(P2PClassifier).fit(images, target).predict_proba(images).tolist()
    dist.init_process_group("gloo")
    numbers = torch.ones(1)
    dist.all_reduce(numbers)
    proba = estimator(P2PClassifier).fit(images, target).predict_proba(images)
    dist.all_reduce(numbers)
    assert numbers.item() == 4
    dist.destroy_process_group()
    return proba.tolist()


def main(folder):
    """Write what was found into FOLDER/found.json, and what the second process saw."""
    torch.set_num_threads(1)
    with distributed.group() as processes:
        found = {"n_processes": processes.size}
        rank = processes.rank
    found["own group"] = with_own_group(folder)
    first = estimator(P2PClassifier).fit(images, target)
    found["p2p"] = described(first)
    found["module"] = type(first.module_).__name__
    # Fewer images than processes.
    found["one image"] = first.predict_proba(images[:1]).tolist()
    found |= methods()
    # 49 images: 35 to learn from, 14 to look at.
    stopping = estimator(
        P2PClassifier,
        max_epochs=6,
        objective__warmup_epochs=0,  # in which nothing would be stopped
        validation=0.3,
        training__callbacks=[
            ("score", EpochScoring("accuracy", lower_is_better=False, name="valid_acc")),
            ("stop", EarlyStopping(patience=1, threshold=10.0)),
        ],
    )
    stopping.fit(images[:49], target[:49])
    found["early stopping"] = described(stopping)
    found["valid_loss"] = stopping.history_[:, "valid_loss"]
    found["valid_acc"] = stopping.history_[:, "valid_acc"]

    interrupted = estimator(P2PClassifier, training__checkpoint_dir=folder / "checkpoints")
    interrupted.fit(images, target)
    again = estimator(P2PClassifier, training__checkpoint_dir=folder / "checkpoints").fit(
        images, target
    )
    found["checkpoint"] = described(again)

    search = GridSearchCV(
        estimator(P2PClassifier), {"objective__sparsity_weight": [1.0, 10.0]}, cv=2
    )
    search.fit(images, target)
    found["scores"] = search.cv_results_["mean_test_score"].tolist()
    found["search"] = described(search.best_estimator_)

    usual = {name: presets.SMALL[name] for name in ("selector", "classifier")}
    seen = estimator(P2PClassifier, **usual, max_epochs=1, objective__warmup_epochs=0).fit(
        images, target
    )
    found["batch norm"] = described(seen)

    seen.save(folder / "model")
    if rank == 0:
        with distributed.disabled():
            loaded = load(folder / "model")
            found["alone"] = loaded.predict_proba(images).tolist()

    own = images if rank == 0 else images[::-1]
    try:
        first.predict(own)
        found["other images"] = "accepted"
    except InputError as error:
        found["other images"] = str(error)
    found["left behind"] = dist.is_initialized()
    (folder / ("found.json" if rank == 0 else "second.json")).write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
