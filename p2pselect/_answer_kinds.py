"""The two kinds of answers: one class of several, or any number of labels.

All that depends on the kind is here: how logits become probabilities, how certain an answer is,
what it says, and when it is right.  Probabilities and answers have the images as their first
axis; further axes, such as the steps of a search, may stand between them and the classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from p2pselect.exceptions import InputError, brief

#: What people read where an image has none of the labels.
NO_LABEL = "none"
#: Of probabilities that stand for certainty 0 and 1.
_MARGIN = 1e-6


@dataclass(frozen=True)
class OneClass:
    """Every image is of exactly one class: probabilities sum to 1, answers are columns."""

    #: What there are several of, in words.
    called = "classes"

    def about(self, target: Any, classes: np.ndarray) -> LabelSet:
        """Refuse to answer for one label alone."""
        raise InputError(
            "target is one of several labels that an image can have; this model was fitted "
            "with one class per image"
        )

    def probabilities(self, logits: Any) -> Any:
        """Probabilities (n, n_classes) of logits, as tensors."""
        return logits.softmax(dim=1)

    def certainty(self, proba: np.ndarray) -> np.ndarray:
        """How certain the answers are."""
        return np.asarray(proba.max(axis=-1))

    def joint_certainty(self, proba: np.ndarray) -> np.ndarray:
        """The same: an answer is a single statement."""
        return self.certainty(proba)

    def answers(self, proba: np.ndarray) -> np.ndarray:
        """What the probabilities say: the column of the most probable class."""
        return np.asarray(proba.argmax(axis=-1))

    def labels(self, answers: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Answers (n,) as users have given labels: (n,)."""
        return classes[answers]

    def names(self, labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Labels (n,) for people to read, one value for each image."""
        return labels

    def codes(self, answers: np.ndarray) -> list[Any]:
        """Answers (n,) for the scripts of a page: columns."""
        return list(answers.tolist())

    def ranking(self, proba: np.ndarray) -> np.ndarray:
        """Columns of probabilities (c,) in the order in which people want to see them."""
        return np.argsort(-proba, kind="stable")

    def has(self, answers: np.ndarray, column: int) -> np.ndarray:
        """Whether the answers name the class of a column."""
        return np.asarray(answers == column)

    def right(self, answers: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Whether answers, or labels, are the true ones."""
        return np.asarray(answers == truth)

    def share_right(self, answers: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """How much of the answers is right: 1 or 0."""
        return self.right(answers, truth).astype(float)

    def belief(self, proba: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """What the probabilities give to the truth: that of the true class."""
        return self.proba_of(proba, truth)

    def proba_of(self, proba: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """The probability of given answers; 0 of a label that is not a class, -1."""
        own = np.take_along_axis(proba, np.maximum(answers, 0)[..., None], axis=-1)[..., 0]
        return np.where(answers >= 0, own, 0)

    def with_certainty(self, proba: np.ndarray, certainty: np.ndarray) -> np.ndarray:
        """Class probabilities (n, c) whose largest one becomes ``certainty`` (n,).

        All others keep their order and, in logarithms, the ratios of their distances: each row
        gets a temperature of its own.  A certainty below that of all classes being equal is
        raised to just above it, because the most probable class stays the most probable one.
        """
        n_classes = proba.shape[1]
        if not len(proba) or n_classes == 1:
            return proba
        wanted = np.clip(certainty, 1 / n_classes + 1e-4, 1 - _MARGIN)
        # In double precision, and away from 0, where a logarithm has no end.
        logits = np.log(np.clip(proba.astype(float), 1e-30, 1))
        logits -= logits.max(axis=1, keepdims=True)
        # The largest probability falls as the temperature rises: halve the interval of its log.
        low, high = np.full(len(proba), -12.0), np.full(len(proba), 12.0)
        for _ in range(60):
            middle = (low + high) / 2
            largest = 1 / np.exp(logits / np.exp(middle)[:, None]).sum(axis=1)
            too_certain = largest > wanted
            low, high = np.where(too_certain, middle, low), np.where(too_certain, high, middle)
        scaled = np.exp(logits / np.exp(low)[:, None])
        return (scaled / scaled.sum(axis=1, keepdims=True)).astype(proba.dtype)


@dataclass(frozen=True)
class LabelSet:
    """An image has any number of labels: each is a question of its own, answered 1 or 0.

    An answer is as certain as its least certain label, max(p, 1 - p) of which is the certainty;
    with a ``target``, the column of a label, that label alone counts.
    """

    target: int | None = None
    called = "labels"

    def about(self, target: Any, classes: np.ndarray) -> LabelSet:
        """Answers of which one label alone counts, one of the ``classes``."""
        names = classes.tolist()
        if target not in names:
            raise InputError(f"target must be one of {brief(names)}, got {brief(target)}")
        return LabelSet(names.index(target))

    def probabilities(self, logits: Any) -> Any:
        """Probabilities (n, n_labels) of logits, as tensors."""
        return logits.sigmoid()

    def certainty(self, proba: np.ndarray) -> np.ndarray:
        """How certain the answers are."""
        each = _of_each_label(proba)
        return np.asarray(each.min(axis=-1) if self.target is None else each[..., self.target])

    def joint_certainty(self, proba: np.ndarray) -> np.ndarray:
        """How certain it is that all labels of an answer are right.

        It compares answers none of which is certain enough: a label that is always in doubt
        would otherwise choose among them, whatever they say of the others.  The geometric mean
        over the labels, because the product of many is too small to be told from 0.
        """
        if self.target is not None:
            return self.certainty(proba)
        each = _of_each_label(proba).astype(float)
        return np.asarray(np.exp(np.log(each).mean(axis=-1)))

    def answers(self, proba: np.ndarray) -> np.ndarray:
        """What the probabilities say: 1 for every label that is more probable than not."""
        return (proba > 0.5).astype(np.int64)

    def labels(self, answers: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Answers as users have given labels: an indicator matrix (n, n_labels)."""
        return answers

    def names(self, labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """An indicator matrix (n, n_labels) for people to read, one text for each image."""
        columns = self.ranking(np.zeros(labels.shape[1]))
        named = [classes[[column for column in columns if row[column]]] for row in labels]
        return np.array([", ".join(map(str, own)) or NO_LABEL for own in named], dtype=object)

    def codes(self, answers: np.ndarray) -> list[Any]:
        """Answers (n, n_labels) for the scripts of a page: a 0 or 1 for every label.

        With a target, all others are left open.
        """
        known = self.ranking(np.zeros(answers.shape[1]))
        return [
            "".join(str(bit) if column in known else "-" for column, bit in enumerate(row))
            for row in answers.tolist()
        ]

    def ranking(self, proba: np.ndarray) -> np.ndarray:
        """Columns of probabilities (c,) in the order in which people want to see them."""
        order = np.argsort(-proba, kind="stable")
        return order if self.target is None else np.array([self.target])

    def has(self, answers: np.ndarray, column: int) -> np.ndarray:
        """Whether the answers name the label of a column."""
        return np.asarray(answers[..., column] > 0)

    def right(self, answers: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Whether all labels are right; with a target, whether that one is."""
        same = np.asarray(answers == truth)
        return np.asarray(same.all(axis=-1) if self.target is None else same[..., self.target])

    def share_right(self, answers: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """How much of the answers is right: the share of the labels, of which all count."""
        return np.asarray((answers == truth).mean(axis=-1))

    def belief(self, proba: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """What the probabilities give to the truth: the mean over all labels."""
        return np.asarray(np.where(truth > 0, proba, 1 - proba).mean(axis=-1))

    def proba_of(self, proba: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """The probability of given answers: the product of those of their labels."""
        return np.asarray(np.where(answers > 0, proba, 1 - proba).prod(axis=-1))

    def with_certainty(self, proba: np.ndarray, certainty: np.ndarray) -> np.ndarray:
        """Probabilities (n, n_labels) whose least certain one becomes as certain as asked (n,).

        The log-odds of all labels of an image move by the same amount, away from 0 or towards
        it, so that they keep their order and what they say.  A certainty below one half is
        raised to just above it.
        """
        if not len(proba):
            return proba
        least = self.certainty(proba)
        shift = _log_odds(np.clip(certainty, 0.5 + 1e-4, 1 - _MARGIN)) - _log_odds(least)
        size = np.abs(_log_odds(proba)) + shift[:, None]
        size = np.maximum(size, _log_odds(0.5 + 1e-4))
        # The logistic function, without an overflow on either side.
        moved = (1 + np.tanh(np.where(proba > 0.5, size, -size) / 2)) / 2
        return np.asarray(moved, proba.dtype)


def _of_each_label(proba: np.ndarray) -> np.ndarray:
    """How certain it is that a label is there, or that it is not."""
    return np.maximum(proba, 1 - proba)


def _log_odds(proba: Any) -> np.ndarray:
    inner = np.clip(np.asarray(proba, float), 1e-15, 1 - 1e-15)
    return np.asarray(np.log(inner / (1 - inner)))


AnswerKind = OneClass | LabelSet
ONE_CLASS, LABEL_SET = OneClass(), LabelSet()
