"""What several processes do together, and one process alone: python work.py FOLDER."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import EarlyStopping
from torch.utils.data import IterableDataset

from p2pselect import P2PClassifier, datasets, load, presets
from p2pselect.distributed import alone, together
from p2pselect.exceptions import InputError
from p2pselect.methods import COMETClassifier, DiETClassifier, RealXClassifier

SETTINGS = {
    **presets.SMALL,
    "image_size": 32,
    "max_epochs": 2,
    "warmup_epochs": 1,
    "batch_size": 16,
    "optimizer": "sgd",
    "lr": 1e-4,
    "lr_schedule": "constant",
    "random_state": 0,
}
#: 3 batches of 16, and one of a single image: the last one is not divided evenly.
scenes = datasets.make_digit_scenes(51, image_size=32, random_state=0)
images, target = scenes.images, scenes.target % 3


def estimator(cls, **changes):
    settings = SETTINGS if cls is P2PClassifier else {**SETTINGS, "regions": "grid"}
    return cls(**{**cls.known(settings), **changes})


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


def main(folder):
    """Write what was found into FOLDER/found.json, and what the second process saw."""
    torch.set_num_threads(1)
    found = {"n_processes": together().size}
    first = estimator(P2PClassifier).fit(images, target)
    found["p2p"] = described(first)
    found["module"] = type(first.module_).__name__
    # Fewer images than processes.
    found["one image"] = first.predict_proba(images[:1]).tolist()
    found["dropout"] = described(
        estimator(
            P2PClassifier,
            classifier="test_vit",
            classifier_options={"drop_rate": 0.2, "drop_path_rate": 0.2, "img_size": 32},
            augment="paper",
        ).fit(images, target)
    )
    # Its losses are in the hundreds: smaller steps for the same precision.
    found["comet"] = described(estimator(COMETClassifier, tau=0.2, lr=1e-6).fit(images, target))
    found["realx"] = described(estimator(RealXClassifier).fit(images, target))
    # No mask ends at 0, at tau or at the threshold, where rounding would decide.
    few = {"n_stages": 1, "max_steps": 3, "max_epochs": 1, "mask_step": 0.25}
    found["diet"] = described(estimator(DiETClassifier, **few).fit(images[:20], target[:20]))
    found["stream"] = described(estimator(P2PClassifier).fit(Stream()))
    # 49 images: the last batch has one, and two processes.
    stopping = estimator(
        P2PClassifier,
        max_epochs=6,
        warmup_epochs=0,  # in which nothing would be stopped
        lr=1e-5,
        validation_fraction=0.3,
        callbacks=[("stop", EarlyStopping(patience=1, threshold=10.0))],
    )
    stopping.fit(images[:49], target[:49])
    found["early stopping"] = described(stopping)
    found["valid_loss"] = stopping.history_[:, "valid_loss"]

    interrupted = estimator(P2PClassifier, checkpoint_dir=folder / "checkpoints")
    interrupted.fit(images, target)
    again = estimator(P2PClassifier, checkpoint_dir=folder / "checkpoints").fit(images, target)
    found["checkpoint"] = described(again)

    search = GridSearchCV(estimator(P2PClassifier), {"sparsity_weight": [1.0, 10.0]}, cv=2)
    search.fit(images, target)
    found["scores"] = search.cv_results_["mean_test_score"].tolist()
    found["search"] = described(search.best_estimator_)

    first.save(folder / "model")
    if together().rank == 0:
        with alone():
            loaded = load(folder / "model")
            found["alone"] = loaded.predict_proba(images).tolist()

    own = images if together().rank == 0 else images[::-1]
    try:
        first.predict(own)
        found["other images"] = "accepted"
    except InputError as error:
        found["other images"] = str(error)
    if together().rank == 0:
        (folder / "found.json").write_text(json.dumps(found))
    else:
        (folder / "second.json").write_text(json.dumps({"proba": found["p2p"]["proba"]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
