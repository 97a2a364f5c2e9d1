"""Faults of several labels for each image: loss, search, training, calibration."""

from mutants.fault import planted

FAULTS = [
    *planted(
        "training/_loss_terms.py",
        "training/test_loss_terms.py",
        {
            "torch.stack([torch.zeros_like(logits), logits], dim=2)": "torch.stack([-logits, logits], dim=2)",
            "torch.where(target > 0, label_weight[..., 1], label_weight[..., 0])": "label_weight[..., 1]",
            "    return terms.sum(dim=1)": "    return terms.mean(dim=1)",
        },
    ),
    *planted(
        "_answer_kinds.py",
        "selection/test_search.py::test_same_decisions_as_the_naive_loop",
        {
            "each.min(axis=-1) if": "each.max(axis=-1) if",
            "return np.maximum(proba, 1 - proba)": "return proba",
            "else each[..., self.target]": "else each.min(axis=-1)",
        },
    ),
    *planted(
        "_answer_kinds.py",
        "test_answer_kinds.py",
        {
            "same.all(axis=-1) if": "same.any(axis=-1) if",
            "np.where(answers > 0, proba, 1 - proba).prod": "proba.prod",
            "np.where(proba > 0.5, size, -size)": "size",
        },
    ),
    *planted(
        "_answer_kinds.py",
        "estimators/test_several_labels.py::test_kept_by_files",
        {'called = "labels"': 'called = "classes"'},
    ),
    *planted(
        "explanations/report/_page.py",
        "explanations/test_several_labels.py::test_the_page_tells_right_from_wrong",
        {'"label" if explanation.multilabel else "class"': '"class"'},
    ),
    *planted(
        "presets/_suited.py",
        "test_suited_to.py",
        {
            "{self.n_classes} {self.kind.called}": "{self.n_classes} classes",
            "if preset is PHOTOS and facts.kind == LABEL_SET:": "if facts.kind == LABEL_SET:",
            "epochs = round(FOR_SEVERAL_LABELS * epochs)": "pass",
        },
    ),
    *planted(
        "_targets.py",
        "test_answer_kinds.py",
        {"columns.tolist() != classes.tolist()": "False"},
    ),
    *planted(
        "_labels.py",
        "test_answer_kinds.py",
        {"_plain(v) not in _BITS": "_plain(v) != _plain(v)"},
    ),
    *planted(
        "training/_validation.py",
        "training/test_validation.py",
        {
            "frequent.argmin(axis=1)": "frequent.argmax(axis=1) * 0 + np.arange(len(sets))",
            "labels.any(axis=0) & ~labels[rows].any(axis=0)": "labels.any(axis=0) & False",
        },
    ),
    *planted(
        "training/_head.py",
        "methods/test_head_first.py::test_the_head_begins_as_a_logistic_regression_of_every_label",
        {"(target != target[0]).any(axis=0)": "target.any(axis=0)"},
    ),
    *planted(
        "estimators/_loss_weights.py",
        "estimators/test_several_labels.py::test_balanced_weights_count_presence_as_much_as_absence",
        {
            "np.stack([1 - present, present], axis=1)": "np.stack([present, 1 - present], axis=1)"
        },
    ),
    *planted(
        "_answer_kinds.py",
        "estimators/test_several_labels.py::test_one_label_is_decided_where_the_search_for_it_stops",
        {"LabelSet(names.index(target))": "LabelSet(0)"},
    ),
    *planted(
        "explanations/_summary.py",
        "explanations/test_several_labels.py::test_a_summary_has_a_row_for_every_label",
        {"kind.has(known, c)": "kind.has(answers, c)"},
    ),
    *planted(
        "metrics/_stops.py",
        "explanations/test_several_labels.py::test_scores_of_several_labels",
        {"kind.certainty(proba), nan": "proba.max(axis=2), nan"},
    ),
    *planted(
        "explanations/_exports.py",
        "explanations/test_several_labels.py::test_other_programs_are_told_every_label",
        {"if kind.has(answers[i], k):": "if k == proba[i].argmax():"},
    ),
    *planted(
        "training/_stream.py",
        "training/test_stream.py::test_classes_weigh_as_they_do_in_arrays training/test_stream.py::test_labels_are_counted_as_they_are_in_arrays",
        {
            "self.counts * self.class_weight if self.kind == ONE_CLASS else self.counts": "self.counts",
            "if self.kind == ONE_CLASS else len(self)": "if True else len(self)",
        },
    ),
    *planted(
        "training/_stream.py",
        "estimators/test_several_labels.py::test_labels_of_a_stream_do_not_change",
        {"if self.kind != ONE_CLASS or labels.ndim == 2:": "if False:"},
    ),
    *planted(
        "_labels.py",
        "test_answer_kinds.py",
        {"any(isinstance(row, list | tuple | set) for row in y[:1])": "False"},
    ),
    *planted(
        "_answer_kinds.py",
        "selection/test_search.py",
        {
            "if self.target is not None:\n            return self.certainty(proba)": "",
            "np.exp(np.log(each).mean(axis=-1))": "each.min(axis=-1)",
        },
    ),
    *planted(
        "datasets/_tar_shards.py",
        "datasets/test_tar_shards.py",
        {
            "if _form(labels[-1]) != _form(labels[0]):": "if False:",
            "label in (0, 1) for label": "True for label",
            "type(label) is int and": "",
            "len(value) > 1 and all(type": "all(type",
            "np.fromiter(labels, dtype=object, count=len(labels))": "np.array(labels)",
            "[label.strip() for label in value]": "value",
        },
    ),
]
