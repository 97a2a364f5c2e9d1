"""P2P as it is by default, and its rivals: how each learns, and its answers image by image.

Every method returns what its training cost and, for each part that is measured, named rows of
one value per image: ``right`` (0 or 1), and for P2P also ``kept`` (share of the pixels) and
``certain``.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from photograph_sets import Part
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold

from p2pselect import Explanation, P2PClassifier, load, metrics, presets
from p2pselect._answer_kinds import ONE_CLASS
from p2pselect._answering import stops, unanswered_levels
from p2pselect.methods import BlackboxClassifier
from p2pselect.nn._backbones import create_timm

Rows = dict[str, dict[str, list[float]]]
#: P2P's certainties besides the one that it has by default.
CERTAINTIES = (0.95, 0.99)
#: The probe's inverse strengths of the penalty: one is fixed, the other chosen among these.
FIXED_C, CHOICE_OF_C = 0.01, (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
FOLDS = 5
#: Options of ``p2pselect fit``: none, except in tests.
FIT_OPTIONS: tuple[str, ...] = ()
#: Settings that belong to a run or to a machine.
OF_THE_RUN = ("pretrained", "random_state", "verbose")


@dataclass
class Outcome:
    """What came out of one method on one set."""

    costs: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, Rows] = field(default_factory=dict)
    localization: dict[str, Any] = field(default_factory=dict)
    paths: dict[str, Rows] = field(default_factory=dict)

    @contextmanager
    def training(self) -> Iterator[None]:
        """Count the time of the block, in this process and those that it starts."""
        wall, cpu = time.perf_counter(), cpu_seconds()
        yield
        self.costs["CPU seconds"] = cpu_seconds() - cpu
        self.costs["seconds"] = time.perf_counter() - wall


def cpu_seconds() -> float:
    """CPU time of this process, and of the processes that it has waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def default_settings(train: Part, weights: Path | None) -> dict[str, Any]:
    """What ``p2pselect fit`` chooses for these photographs."""
    given = {} if weights is None else {"pretrained": weights}
    return dict(presets.suited_to(train.images, train.labels, **given))


def is_pretrained(settings: dict[str, Any]) -> bool:
    """Whether all networks begin with pretrained weights."""
    where = settings["pretrained"]
    return all(where.values()) if isinstance(where, dict) else bool(where)


# -- P2P -------------------------------------------------------------------------------------


def p2p_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """All settings, those that are defaults of the estimator too."""
    return P2PClassifier().set_params(**settings).get_params(deep=False)


def p2p(
    train: Part, measured: Mapping[str, Part], seed: int, settings: dict[str, Any]
) -> Outcome:
    """P2P as the command trains it, in a process of its own."""
    out = Outcome()
    with TemporaryDirectory() as folder, train.as_folder() as images:
        model = Path(folder, "photographs.model")
        command = ["fit", str(images), f"--out={model}", f"--seed={seed}", *FIT_OPTIONS]
        if not isinstance(settings["pretrained"], bool):
            command.append(f"--weights={settings['pretrained']}")
        with out.training():
            subprocess.run([sys.executable, "-m", "p2pselect", *command], check=True)
        clf = load(model)
    out.facts = {
        "certainty_threshold": clf.certainty_threshold,
        "epochs": clf.max_epochs,
        "other settings": other_settings(clf, settings),
    }
    fallback = clf.get_params()["search__fallback"]
    for name, part in measured.items():
        explained = {"p2p": clf.explain(part.images)}
        path = clf.explain(part.images, whole_path=True)
        explained |= {f"p2p@{t}": stopped(path, t, fallback) for t in CERTAINTIES}
        out.rows[name] = {
            row: {
                "right": as_list(exp.predicted == part.labels),
                "kept": as_list(exp.kept_fraction),
                "certain": as_list(exp.answered),
            }
            for row, exp in explained.items()
        }
        out.localization[name] = {
            row: localization(exp, part) for row, exp in explained.items()
        }
        out.paths[name] = whole_paths(path, part.labels)
    return out


def other_settings(clf: P2PClassifier, settings: dict[str, Any]) -> list[str]:
    """Settings that are not those of the training, which the record would be wrong about."""
    used = clf.get_params(deep=False)
    named = [name for name in settings if name not in OF_THE_RUN]
    return [name for name in named if repr(settings[name]) != repr(used[name])]


def whole_paths(path: Explanation, labels: np.ndarray) -> dict[str, list[Any]]:
    """What certainty.py reads: the words, the answer and the kept area at every tau."""
    proba = path.path_proba.copy()
    for level in range(1, proba.shape[1]):  # what comes after an absolute certainty
        unseen = np.isnan(proba[:, level]).any(axis=1)
        proba[unseen, level] = proba[unseen, level - 1]
    right = path.classes[proba.argmax(axis=2)] == labels[:, None]
    return {
        "certainty": np.round(proba.max(axis=2).astype(float), 7).tolist(),
        "right": right.astype(int).tolist(),
        "kept": as_list(path.path_kept_fraction),
        "proba": np.round(proba.astype(float), 6).tolist(),
        "truth": np.searchsorted(path.classes, labels).tolist(),
    }


def stopped(path: Explanation, threshold: float, fallback: str) -> Explanation:
    """The explanation at a certainty, from one whose search never became certain.

    Which regions are kept, the answer and its certainty are those of the stop; the
    probabilities of the regions are not.
    """
    # What was not visited lies behind a certainty of 1.
    certainty = np.nan_to_num(path.path_proba.max(axis=2), nan=-1.0)
    rest = unanswered_levels(path.path_proba, fallback, ONE_CLASS)
    level, answered = stops(certainty, threshold, rest)
    rows = np.arange(len(path))
    ranks = np.argsort(path.ranking, axis=1, kind="stable")
    return replace(
        path,
        region_masks=ranks < path.path_counts[rows, level][:, None],
        proba=path.path_proba[rows, level],
        tau=path.path_tau[level],
        answered=answered,
        certainty_threshold=threshold,
    )


def localization(exp: Explanation, part: Part) -> dict[str, dict[str, float]]:
    """By kind of masks: how much of what is kept lies on the object, at the photographs' size.

    Beside it are a random mask, and a centered disc of the same area in every image.
    """
    scores: dict[str, dict[str, list[np.ndarray]]] = {}
    for kind, rows, masks in part.object_masks():
        kept = np.stack(exp[rows].masks_at_original_size())
        found = {
            "localization": metrics.localization_score(kept, masks, per_image=True),
            "random row": metrics.random_localization(masks, per_image=True),
            "center row": metrics.center_localization(kept, masks, per_image=True),
            "share of object kept": metrics.mask_recall_score(kept, masks, per_image=True),
            "kept": kept.mean(axis=(1, 2)),
        }
        for name, values in found.items():
            scores.setdefault(kind, {}).setdefault(name, []).append(values)
    return {
        kind: {
            **{name: float(np.nanmean(np.concatenate(v))) for name, v in of_kind.items()},
            "images": sum(map(len, of_kind["kept"])),
        }
        for kind, of_kind in scores.items()
    }


# -- its rivals ------------------------------------------------------------------------------


def blackbox_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """P2P's settings, as far as a black box has them."""
    own = presets.settings_for(BlackboxClassifier, settings)
    return BlackboxClassifier(**own).get_params(deep=False)


def blackbox(
    train: Part, measured: Mapping[str, Part], seed: int, settings: dict[str, Any]
) -> Outcome:
    """The same classifier on whole images: same epochs, same settings, same grid."""
    out = Outcome()
    clf = BlackboxClassifier(**settings).set_params(random_state=seed)
    with out.training():
        clf.fit(train.images, train.labels)
    out.facts = {"epochs": len(clf.history_)}
    for name, part in measured.items():
        right = as_list(clf.predict(part.images) == part.labels)
        out.rows[name] = {"blackbox": {"right": right}}
    return out


def probe_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """The network and the grid."""
    taken = P2PClassifier().set_params(**settings).get_params(deep=False)
    return {k: taken[k] for k in ("classifier", "pretrained", "image_size", "resize")}


def probe(
    train: Part, measured: Mapping[str, Part], seed: int, settings: dict[str, Any]
) -> Outcome:
    """Logistic regression on the classifier's pretrained features, on the same grid."""
    out = Outcome()
    torch.manual_seed(seed)  # for a network without pretrained weights
    with out.training():
        network = feature_network(settings)
        features = network(train)
        search = GridSearchCV(
            LogisticRegression(max_iter=1000),
            {"C": CHOICE_OF_C},
            cv=StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed),
        ).fit(features, train.labels, groups=train.groups)
    fixed = LogisticRegression(C=FIXED_C, max_iter=1000).fit(features, train.labels)
    out.facts = {"C": search.best_params_["C"]}
    for name, part in measured.items():
        features = network(part)
        out.rows[name] = {
            row: {"right": as_list(model.predict(features) == part.labels)}
            for row, model in (("probe", search), (f"probe@C={FIXED_C}", fixed))
        }
    return out


def feature_network(settings: dict[str, Any]) -> Callable[[Part], np.ndarray]:
    """Maps photographs to the features (n, d) before the head of the pretrained classifier."""
    name = settings["classifier"]
    where = settings["pretrained"]
    where = where["classifier"] if isinstance(where, dict) else where
    network = create_timm(name, where, num_classes=0).eval()
    mean, std = (
        torch.tensor(network.pretrained_cfg[value]).view(3, 1, 1) for value in ("mean", "std")
    )
    batch_size = 64

    @torch.inference_mode()
    def features(part: Part) -> np.ndarray:
        found = []
        for start in range(0, len(part), batch_size):
            rows = slice(start, start + batch_size)
            pixels = part.images.batch(rows, settings["image_size"], settings["resize"])
            images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
            found.append(network((images - mean) / std).numpy())
        return np.concatenate(found)

    return features


def as_list(values: np.ndarray) -> list[float]:
    """Values of images as JSON holds them."""
    return np.round(values.astype(float), 4).tolist()


@dataclass(frozen=True)
class Method:
    """What a method takes of P2P's default settings, and how it is run with that."""

    take: Callable[[dict[str, Any]], dict[str, Any]]
    run: Callable[..., Outcome]


METHODS = {
    "p2p": Method(p2p_settings, p2p),
    "probe": Method(probe_settings, probe),
    "blackbox": Method(blackbox_settings, blackbox),
}
