"""Faults of what is measured: scores, scorers, curves, the tables of the benchmark."""

from mutants.fault import planted

FAULTS = [
    *planted(
        "explanations/_comparison.py",
        "explanations/test_comparison.py",
        {
            '"only first is right": a & ~b': '"only first is right": a & b',
            'f"{name}: difference": second - first': 'f"{name}: difference": first - second',
            "axis=1), self.groups, _N_DRAWS": "axis=1), None, _N_DRAWS",
            "    if differs.any():": "    if False:",
        },
    ),
    *planted(
        "metrics/_encoding.py",
        "metrics/test_encoding.py",
        {
            "fits[:, 0] = True": "pass",
            "np.add.at(counts, own, present)": "np.add.at(counts, own, 1)",
            "np.take_along_axis(centers, start, 2)": "middle",
            "-_means(exp, objects)": "_means(exp, objects)",
            "names = np.arange(len(values)) if groups is None else groups": "names = np.arange(len(values))",
        },
    ),
    *planted(
        "reproduction/_claims.py",
        "reproduction/test_tables.py::test_masks_do_not_encode_if_no_audit_of_any_seed_says_so",
        {
            "any(encodes.values())": "all(encodes.values())",
            "all(pixels.values())": "any(pixels.values())",
        },
    ),
    *planted(
        "reproduction/_auditing.py",
        "reproduction/test_runner.py::test_audits_are_scores_of_methods_that_rank_regions",
        {"if not ranks_regions(examples):": "if False:"},
    ),
    *planted(
        "model_selection/_audit_result.py",
        "test_audit.py::test_the_rules",
        {
            "                believed - guessed,\n": "",
            '                self.figure("model: belief", "judge: belief"),\n': "",
            'counts = self.figure("model")[1] > constant': "counts = self.levels > 0",
            "(high[counts] <= most).all()": "(mean[counts] <= most).all()",
            "convicting = counts & (low > most)": "convicting = counts & (mean > most)",
            "if not self._converged:": "if False:",
            "if best - whole > self.tolerance:": "if False:",
            "np.mean(neutral) > self.tolerance": "False",
        },
    ),
    *planted(
        "model_selection/_audit.py",
        "test_audit.py::test_the_worst_group_is_the_one_that_is_read_worst_of_those_that_are_large",
        {
            "np.where(enough, accuracy, np.inf)": "accuracy",
            "np.bincount(own, right) / counts": "np.bincount(own, right)",
            "enough.sum() < 2": "enough.sum() < 1",
        },
    ),
    *planted(
        "_answer_kinds.py",
        "test_audit.py::test_masks_that_encode_several_labels_are_convicted",
        {
            "(answers == truth).mean(axis=-1)": "(answers == truth).all(axis=-1)",
            "np.where(truth > 0, proba, 1 - proba).mean(axis=-1)": "np.where(truth > 0, proba, 1 - proba).prod(axis=-1)",
        },
    ),
    *planted(
        "model_selection/_audit_result.py",
        "test_audit.py::test_a_label_that_is_rare_is_guessed_more_often",
        {"self.y.reshape(len(self.y), -1).T": "self.y.reshape(1, -1)"},
    ),
    *planted(
        "model_selection/_comparable.py",
        "test_audit.py::test_a_judge_answers_the_same_question",
        {
            "if kind == exp._kind and np": "if np",
            "find_targets(labels, columns)": "exp.classes",
        },
    ),
    *planted(
        "cli/_audit.py",
        "cli/test_several_labels.py::test_an_audit_of_all_labels",
        {"labels = learned.target": "pass"},
    ),
    *planted(
        "explanations/report/_audit.py",
        "cli/test_several_labels.py::test_an_audit_of_all_labels",
        {"Right answers{averaged}": "Right answers"},
    ),
    *planted(
        "model_selection/_audit_result.py",
        "test_audit.py::test_intervals_of_one_group_draw_its_images",
        {"            groups = None\n": "            pass\n"},
    ),
    *planted(
        "model_selection/_audit.py",
        "test_audit.py::test_what_is_shown_outside_the_object",
        {"& (area > 0)": ""},
    ),
    *planted(
        "model_selection/_audit.py",
        "test_audit.py::test_a_mask_that_encodes_is_convicted",
        {"judged, belief = read(judge, shown)": "judged, belief = read(explainer, shown)"},
    ),
    *planted(
        "model_selection/_retraining.py",
        "test_retraining.py::test_training_and_test_images_lose_the_same_of_the_same_order",
        {
            "right_by(old, new)": "right_by(old, exp.images)",
            "without_first(each, order[kind], share)": 'without_first(each, order["selected"], share)',
            "right[:, -1] = whole": "right[:, -2] = whole",
            "np.zeros(images.shape[:3], np.int32)": "np.ones(images.shape[:3], np.int32)",
        },
    ),
    *planted(
        "model_selection/_retraining.py",
        "test_retraining.py::test_the_first_regions_that_fit_are_black_and_the_others_as_they_were",
        {"masked_by(~first_within": "masked_by(first_within"},
    ),
    *planted(
        "model_selection/_retraining.py",
        "test_retraining.py::test_values_are_those_of_the_grid_whatever_the_images_had",
        {
            "images__value_range=None,": "",
            "None if n_channels == 3 else n_channels": "None",
        },
    ),
    *planted(
        "metrics/_agreement.py",
        "metrics/test_agreement.py",
        {
            "(a | b).sum(axis=(1, 2))": "a.sum(axis=(1, 2))",
            "combinations(each, 2)": "[each[:2]]",
            'nan_policy="omit")': 'nan_policy="omit", method="min")',
            "first_within(exp, chance, area)": "first_within(exp, region_order(exp), area)",
        },
    ),
    *planted(
        "model_selection/_randomization.py",
        "test_randomization.py",
        {
            "][::-1]": "]",
            "layers[done:step]": "layers[step - 1 : step]",
            "flat[rng.permutation(len(flat))]": "flat",
            "deepcopy(explainer)": "explainer",
        },
    ),
    *planted(
        "metrics/_localization.py",
        "metrics/test_localization.py",
        {
            "scores = ratio((kept & objects).sum(axis=1), area)": (
                "scores = ratio((kept & objects).sum(axis=1), objects.sum(axis=1))"
            ),
            "(kept | objects).sum(axis=1))": "kept.sum(axis=1))",
            "(kept & objects).sum(axis=1), objects.": "kept.sum(axis=1), objects.",
            "top = allowed & (heat ==": "top = (heat ==",
            "(top & objects).sum(axis=1), top.sum": "(top & objects).any(axis=1), top.any",
            "scores[area == 0] = 0.0": "pass",
            "truth = np.repeat([1, 0]": "truth = np.repeat([0, 1]",
        },
    ),
    *planted(
        "metrics/_arrays.py",
        "metrics/test_localization.py",
        {
            "first.reshape(n, -1), objects & allowed": "first.reshape(n, -1), objects",
            "return first & allowed,": "return first,",
            "float(scores[defined].mean()) if": "float(np.nan_to_num(scores).mean()) if",
            "out = np.full(np.shape(numerator), np.nan)": "out = np.zeros(np.shape(numerator))",
        },
    ),
    *planted(
        "metrics/_localization.py",
        "metrics/test_localization.py",
        {
            "(2 * columns - w + 1) ** 2": "(2 * columns - w) ** 2",
            "np.clip((area[i] - np.cumsum(size) + size) / np.maximum(size, 1), 0, 1)": "area[i] - np.cumsum(size) + size > 0",
            "ratio(objects.sum(axis=1), kept.sum(axis=1))": "objects.mean(axis=1)",
        },
    ),
    *planted(
        "metrics/_certainty.py",
        "metrics/test_certainty.py",
        {
            "correct[answered].mean()": "correct.mean()",
            "np.abs(curve.accuracy - curve.certainty), weights=curve.n_images": "np.abs(curve.accuracy - curve.certainty)",
            "np.ceil(certainty * n_bins).astype(int) - 1": "(certainty * n_bins).astype(int)",
            "np.abs(least + np.arange(len(of_count)) - chances.sum())": "(least + np.arange(len(of_count)) - chances.sum()) ** 2",
            "variance > _NORMAL": "variance > 1",
            "of_count[1:], least + 1": "of_count[1:], least",
            "_mean_deviation(certainty[index == b])": "_mean_deviation(np.full((index == b).sum(), certainty.mean()))",
            "return float(found / len(certainty))": "return float(found / len(certainty) ** 0.5)",
            "np.unique(-certainty,": "np.unique(certainty,",
            "np.repeat(mean_error, size)": "(~correct)",
        },
    ),
    *planted(
        "metrics/_sparsity.py",
        "metrics/test_certainty.py",
        {
            "masks.mean(axis=(1, 2))": "1 - masks.mean(axis=(1, 2))",
            "counts = masks.sum(axis=1)": "counts = masks.sum(axis=0)",
        },
    ),
    *planted(
        "metrics/_fidelity.py",
        "metrics/test_fidelity.py",
        {
            "insert=True, protocol": "insert=False, protocol",
            "self.values) / np.ptp(self.fractions)": "self.values)",
            "kind.right(kind.answers(proba), own)": "kind.right(kind.answers(-proba), own)",
            "masks, matters = part.shown, part.visible_region_masks": "masks, matters = part.shown, part.region_masks",
            "kind.answers(classifier(others(part)))": "kind.answers(classifier(part.masked_images))",
            "part.masked_by(hidden * _everything(part))": "_full_images(part)",
            "insert=False, full_images": "insert=True, full_images",
            "kind.proba_of(proba, np.repeat(own,": "kind.proba_of(proba, np.repeat(0 * own,",
        },
    ),
    *planted(
        "metrics/_perturbed_images.py",
        "metrics/test_fidelity.py",
        {
            "allowed = np.floor(np.round(fractions * n_pixels, 6))": (
                "allowed = np.ceil(fractions * n_pixels)"
            ),
            "np.where(fractions == 1, d, below)": "below",
            "np.minimum(below + 1, d)": "np.minimum(below, d)",
            'row, most, side="right"': 'row, most, side="left"',
            "permutation = np.random.default_rng(random_state).permutation(d)": "permutation = np.arange(d)",
            "masks[i] * shown": "shown",
            "position[i] < k if keep_first": "position[i] <= k if keep_first",
            "if k not in self._cache": "if True",
        },
    ),
    *planted(
        "metrics/_scores.py",
        "metrics/test_scorers.py",
        {
            "fidelity.insertion_fidelity_curve": "fidelity.deletion_fidelity_curve",
            "fidelity.deletion_probability_curve": "fidelity.insertion_probability_curve",
            "(_kept_fraction, (), False)": "(_kept_fraction, (), True)",
            '("y",), False),\n}': '("y",), True),\n}',
            "(_center, _MASKS": "(_random, _MASKS",
        },
    ),
    *planted(
        "metrics/_explained.py",
        "metrics/test_scorers.py",
        {
            'self._on_grid("valid")': "None",
            "X = estimator[:-1].transform(X)": "pass",
            "return self.explanation.predicted": "return self.explanation.predicted[::-1]",
        },
    ),
    *planted(
        "metrics/_object_masks.py",
        "metrics/test_object_masks.py",
        {
            "top = 255 if values.max() == 255 else 1": "top = 1",
            "if 1 in white and 255 in white:": "if False:",
            "if mask.shape == expected[::-1] != expected:": "if False:",
            "if not (object_ | (values == 0)).all():": "if False:",
        },
    ),
    *planted(
        "explanations/_summary.py",
        "explanations/test_summary.py",
        {
            '"right": np.nan if true is None else _mean(true[chosen])': '"right": np.nan if true is None else _mean(true)',
            "ratio(hit, kept.sum(": "ratio(hit, masks.sum(",
            "np.argsort(-total, kind": "np.argsort(total, kind",
            "_mean(1 - located)": "_mean(located)",
            "_mean(kept_fraction[sure])": "_mean(kept_fraction[chosen])",
            "_mean(true[sure])": "_mean(true[chosen] & (c >= 0))",
        },
    ),
    *planted(
        "reproduction/_measure.py",
        "reproduction/test_measure.py",
        {
            " insertion=metrics.insertion_": " insertion=metrics.deletion_",
            "(mean[1:] + mean[:-1]) / 2 @": "mean[1:] @",
            "np.nanmean(values, axis=0) if": "np.nan_to_num(values).mean(axis=0) if",
        },
    ),
    *planted(
        "reproduction/_measure.py",
        "reproduction/test_measure.py",
        {
            "return replace(exp, proba=clf.predict_proba_masked(": "return (lambda x: exp)((",
            'clf.set_params(selection="budget")': "pass",
            "clf.set_params(selection=before)": "pass",
        },
    ),
    *planted(
        "metrics/_object_masks.py",
        "metrics/test_object_masks.py::test_bad_masks_are_named",
        {
            "top = 255 if values.max() == 255 else 1": "top = values.max() or 1",
        },
    ),
    *planted(
        "metrics/_arrays.py",
        "metrics/test_object_masks.py::test_ways_to_give_one_mask",
        {
            'allowed = check_object_masks(valid, n, (h, w), name="valid").reshape(n, -1)': 'allowed = ~check_object_masks(valid, n, (h, w), name="valid").reshape(n, -1)',
        },
    ),
    *planted(
        "reproduction/_measure.py",
        "reproduction/test_measure.py::test_fixed_tau_keeps_as_much_where_more_tau_shows_less",
        {
            'return tau_at(kept, first.mean("_path"), grid)': 'return float(np.interp(kept, first.mean("_path"), grid))',
        },
    ),
    *planted(
        "reproduction/_measure.py",
        "reproduction/test_measure.py::test_any_curve_of_kept_fractions_is_inverted",
        {
            "i = crossings[0]": "i = crossings[-1]",
        },
    ),
    *planted(
        "reproduction/_measure.py",
        "reproduction/test_measure.py::test_curves_of_a_model_that_is_known_exactly",
        {
            "            insertion=metrics.insertion_fidelity_curve(exp, model).per_image,\n            deletion=metrics.deletion_fidelity_curve(exp, model).per_image,": "            deletion=metrics.insertion_fidelity_curve(exp, model).per_image,\n            insertion=metrics.deletion_fidelity_curve(exp, model).per_image,",
        },
    ),
    *planted(
        "reproduction/_claims.py",
        "reproduction/test_tables.py::test_an_interval_that_covers_zero_decides_nothing",
        {
            "return HOLDS if low > 0 else FAILS if high < 0 else OPEN": "return HOLDS if low + high > 0 else FAILS",
        },
    ),
    *planted(
        "reproduction/_claims.py",
        "reproduction/test_tables.py::test_claims_are_held_against_paired_intervals",
        {
            "half = student_t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))": "half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))",
        },
    ),
    *planted(
        "reproduction/_scores.py",
        "reproduction/test_tables.py::test_a_method_at_chance_is_not_the_most_faithful",
        {
            "CONTROLS and self.has_learned(dataset, method, setting)": "CONTROLS",
        },
    ),
    *planted(
        "reproduction/_scores.py",
        "reproduction/test_tables.py::test_what_sees_more_than_its_masks_is_never_marked",
        {
            "method not in CONTROLS and ": "",
            '"comet1", "bcos")': '"comet1")',
        },
    ),
    *planted(
        "reproduction/_scores.py",
        "reproduction/test_tables.py::test_methods_with_the_cpu_time_of_p2p_have_a_table_of_their_own",
        {
            'DEFAULT if method == "p2p" else setting': "setting",
            "self.entry(dataset, name, own_setting(name, setting)": 'self.entry(dataset, name, "default"',
        },
    ),
    *planted(
        "reproduction/_claims.py",
        "reproduction/test_tables.py::test_p2p_is_compared_with_all_methods_and_with_the_accurate_ones",
        {
            "own.mean >= blackbox.mean - 0.03": "True",
            "MATCHED, _hides, EQUAL_CPU)": "MATCHED, _hides)",
        },
    ),
    *planted(
        "reproduction/_measure.py",
        "reproduction/test_measure.py::test_localization_on_other_things",
        {
            "found = _localization(exp, own).items()": "found = _localization(exp, masks).items()",
            "                self.tallies[name].add(exp, target, masks, others)": "                self.tallies[name].add(exp, target, masks)",
            "for name, own in others.items()},": "for name, own in list(others.items())[1:]},",
        },
    ),
    *planted(
        "reproduction/_tables.py",
        "reproduction/test_tables.py::test_localization_on_other_things_has_a_column_and_its_references",
        {
            'MATCHED, on_thing("localization", thing))': '"", on_thing("localization", thing))',
            "for thing in results.things(dataset)": "for thing in ()",
        },
    ),
    *planted(
        "reproduction/_suite.py",
        "reproduction/test_suite.py",
        {
            "if isinstance(pretrained, Mapping):": "if False:",
            'if pretrained in (True, "auto") else pretrained': "",
            'return (folder or True) if pretrained in (True, "auto")': 'return (folder or "auto") if pretrained in (True, "auto")',
            'self.settings.get("pretrained", "auto")': 'self.settings.get("pretrained", False)',
        },
    ),
    *planted(
        "reproduction/_runner.py",
        "reproduction/test_runner.py::test_weights_from_a_folder",
        {
            "plan = suite.plans[trial.dataset].with_weights(weights)": "plan = suite.plans[trial.dataset]",
            "        networks_in_folder(weights)  # said once, not by every trial\n": "",
        },
    ),
    *planted(
        "datasets/_named.py",
        "datasets/test_table.py",
        {
            "load_image_table(file, split_column=None, mask_column=None)": "load_image_table(file, split, mask_column=None)",
            "load_image_table(file, split, mask_column=self.mask_column)": "load_image_table(file, split)",
            "load_image_table(file, split, mask_column=column).masks": "data.masks",
            "for name, masks in others.items() if masks is not None},": "for name, masks in others.items()},",
        },
    ),
    *planted(
        "reproduction/_equal_cpu.py",
        "reproduction/test_equal_cpu.py",
        {
            "if not path.is_file():": "if True:",
            "1 + (seconds - one) / each": "seconds / one",
            "(many - one) / (n_epochs - 1)": "many / n_epochs",
            "self._seconds(P2P, images, max_epochs=1)": "pass",
            "self._plan = suite.plans[name].with_weights(weights)": "self._plan = suite.plans[name]",
        },
    ),
    *planted(
        "reproduction/_runner.py",
        "reproduction/test_equal_cpu.py::test_what_cannot_be_timed_fails_alone",
        {"            del found[trial]\n": ""},
    ),
    *planted(
        "reproduction/_measure.py",
        "reproduction/test_measure.py::test_a_random_order_of_regions_stands_beside_the_curves_of_a_search",
        {
            "selection_logits=order - (exp.region_areas == 0)": "selection_logits=exp.selection_logits",
        },
    ),
    *planted(
        "metrics/_sparsity.py",
        "metrics/test_empty_masks.py::test_the_number_of_masks_that_keep_nothing",
        {
            "return int((shares == 0).sum())": "return int((shares > 0).sum())",
        },
    ),
    *planted(
        "explanations/_summary.py",
        "metrics/test_empty_masks.py::test_a_summary_counts_them_and_leaves_them_out",
        {
            "kept_inside = ratio(hit, kept.sum(axis=(1, 2)))": "kept_inside = hit / np.maximum(kept.sum(axis=(1, 2)), 1)",
        },
    ),
    *planted(
        "explanations/figures/_plots.py",
        "metrics/test_empty_masks.py::test_pictures_and_reports_say_how_many",
        {
            "inside = ratio((explanation.pixel_masks & masks).sum(axis=(1, 2)), kept)": "inside = (explanation.pixel_masks & masks).sum(axis=(1, 2)) / np.maximum(kept, 1)",
        },
    ),
    *planted(
        "explanations/figures/_words.py",
        "explanations/test_words.py::test_any_labels_are_told_apart",
        {
            "while candidate in told:": "while False:",
        },
    ),
    *planted(
        "explanations/figures/_words.py",
        "explanations/test_words.py::test_labels_that_are_not_utf8_can_be_written",
        {
            '    return text.encode("utf-8", "backslashreplace").decode("utf-8")\n': "    return text\n",
        },
    ),
]
