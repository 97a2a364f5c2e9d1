"""Faults of what is shown: regions, the certainty search, explanations, the choice of tau."""

from mutants.fault import planted

FAULTS = [
    *planted(
        "regions/_labels.py",
        "regions/test_labels.py",
        {
            "_renumbered(np.flip(labels, axis=axis))": "np.flip(labels, axis=axis)",
            "return _renumbered(labels[..., rows, columns])": "return labels[..., rows, columns]",
            ".astype(np.intp) + 1": ".astype(np.intp)",
            "if not present.all():": "if False:",
            "max_regions or _LIMIT": "_LIMIT",
        },
    ),
    *planted(
        "_region_sums.py",
        "regions/test_labels.py",
        {"labels[image].ravel() + 1": "labels[0].ravel() + 1"},
    ),
    *planted(
        "regions/_connectivity.py",
        "regions/test_labels.py regions/test_slic.py",
        {
            "cost /= np.float64(shared[j]) * shared[j]": "cost *= 1",
            "sizes[a] += sizes[b]": "sizes[a] += 0",
        },
    ),
    *planted(
        "regions/_slic.py",
        "regions/test_slic.py",
        {
            "weight = compactness / sqrt(": "weight = 1 / sqrt(",
            "for _ in range(n_iter):": "for _ in range(1):",
            "row + k // 3 - 1, column + k % 3 - 1": "row, column",
        },
    ),
    *planted(
        "regions/_slic.py",
        "regions/test_slic.py",
        {
            "srgb <= 0.04045, srgb / 12.92": "srgb <= 2, srgb / 12.92",
            "np.float32(200) * (fy - fz)": "np.float32(200) * (fx - fz)",
        },
    ),
    *planted(
        "regions/_cache.py",
        "regions/test_cache.py",
        {
            "{maker}|{image.shape}|": "|{image.shape}|",
            "pack(*labels.shape, small": "pack(*labels.shape[::-1], small",
        },
    ),
    *planted(
        "_keyed_file.py",
        "regions/test_cache.py",
        {"if checksum == crc32(value, crc32(key)):": "if True:"},
    ),
    *planted(
        "regions/_engines.py",
        "regions/test_engines.py",
        {
            "np.argsort(-areas, kind": "np.argsort(areas, kind",
            "len(stack) + slic(": "slic(",
        },
    ),
    *planted(
        "regions/_proposal.py",
        "regions/test_transformer.py::test_no_side_is_longer_than_the_resolution",
        {"-(-max(h, w) // resolution)": "max(h, w) // resolution"},
    ),
    *planted(
        "regions/_proposal.py",
        "regions/test_transformer.py",
        {
            "np.rint(image * 255)": "np.rint(image)",
            "labels = relabel(labels, smallest": "relabel(labels, smallest",
        },
    ),
    *planted(
        "regions/_proposal.py",
        "regions/test_engines.py",
        {'if self.engine != "slic":\n            labels = relabel(labels)': ""},
    ),
    *planted(
        "regions/_images_with_regions.py",
        "regions/test_images_with_regions.py",
        {"rows], self.regions[rows])": "rows], self.regions[: len(rows)])"},
    ),
    *planted(
        "selection/_selection_rule.py",
        "selection/test_search.py",
        {
            "(logits + offset > 0)": "(logits + offset > 0.5)",
            "tau * pixels + 1e-6": "tau * pixels + 1",
            "(used <= b) & real": "used <= b",
        },
    ),
    *planted(
        "selection/_certainty_search.py",
        "selection/test_search.py",
        {
            "np.append(inner, 1.0)": "inner",
            "(counts != here) & (np.arange(t)": "(np.arange(t)",
            "certainty_threshold\n        last": "0.99 * certainty_threshold\n        last",
            "reached = kind.certainty(proba)": "reached = proba[:, 0]",
            "certainty = kind.joint_certainty(proba)": "certainty = kind.certainty(proba)",
            "reached | better, batch.level": "better, batch.level",
            "np.where(reached, batch.level, n_levels - 1)": "batch.level",
            "certainty > best[batch.row]": "certainty >= best[batch.row]",
            'if fallback == "everything":': 'if fallback != "everything":',
            'if fallback == "settled":': "if False:",
            "better & ~reached": "better",
            "(batch.level == 0) | ~kind": "~kind",
            "result.reached[batch.row] = reached": "result.reached[batch.row] = reached | last",
            "seen &= ~reached[:, None]": "seen &= True",
            "self.parts.insert(0, part[missing:])": "pass",
            "self.n_read += len(row)": "self.n_read += 0",
        },
    ),
    *planted(
        "selection/_search_run.py",
        "estimators/test_p2p.py::test_empty_masks_where_they_are_allowed",
        {
            "counts = counts.clip(min=1)": "pass",
        },
    ),
    *planted(
        "selection/_search_run.py",
        "estimators/test_p2p.py::test_a_budget_of_pixels_is_answered_as_certainly_as_it_can_be",
        {
            "counts = np.minimum(counts, most)": "pass",
            'self.rule.fallback if self.max_kept is None else "most_certain"': "self.rule.fallback",
        },
    ),
    *planted(
        "selection/_prediction_run.py",
        "estimators/test_p2p.py::test_faithful_by_construction",
        {"pixel_masks = pixel_ranks < torch": "pixel_masks = pixel_ranks <= torch"},
    ),
    *planted(
        "selection/_search_run.py",
        "estimators/test_p2p.py::test_faithful_by_construction",
        {
            "ranks < result.count[:, None]": "ranks <= result.count[:, None]",
        },
    ),
    *planted(
        "estimators/_base.py",
        "estimators/test_p2p.py::test_faithful_by_construction",
        {
            "self._kind.answers(run.proba(result))": "self._kind.answers(-run.proba(result))",
        },
    ),
    *planted(
        "selection/_stop_calibration.py",
        "selection/test_stop_calibration.py",
        {
            "share = IsotonicRegression().fit_transform(": "share = (lambda t, s, **_: s)(",
            "share >= asked - 1e-9": "share >= asked - 0.05",
            "self._thresholds[::-1]": "self._thresholds",
            "rest = np.maximum(rest, self.unanswered_level)": "rest = self.unanswered_level",
            "own(answered),\n            own(~answered),": "whole,\n            whole,",
        },
    ),
    *planted(
        "selection/_error_bounds.py",
        "selection/test_error_bounds.py",
        {
            "beta.ppf(1 - alpha, answered - right + 1,": "beta.ppf(1 - alpha, answered - right + 0.1,",
            "alpha / answered.shape[1])": "alpha)",
            "np.diff(np.maximum.accumulate(forgiven), prepend=-1.0) > 0": "forgiven >= 0",
            "    grows[-1:] = True\n": "",
            "max(0, min(1, quarter), sixteenth)": "max(0, quarter, sixteenth)",
            "min(1, quarter), sixteenth)))": "min(1, quarter))))",
            "enough & ~np.logical_or.accumulate(fails, axis=0)": "enough & ~fails",
            "(answered * keeps).sum(axis=1)": "answered.sum(axis=1)",
        },
    ),
    *planted(
        "selection/_prediction_sets.py",
        "selection/test_prediction_sets.py",
        {
            "(len(true_proba) + 1)": "(len(true_proba) + 3)",
            "found[np.arange(len(proba)), proba.argmax(axis=1)] = True": "pass",
            "self._quantile(own[~answered])": "self._quantile(own)",
        },
    ),
    *planted(
        "selection/_calibrating.py",
        "selection/test_prediction_sets.py",
        {
            "paths[1::2], paths[::2]": "paths, paths",
        },
    ),
    *planted(
        "selection/_calibrating.py",
        "estimators/test_calibrate.py",
        {
            "paths[np.sort(order[rank:])]": "paths",
            "order[rank - 1]": "order[rank]",
        },
    ),
    *planted(
        "selection/_stop_report.py",
        "estimators/test_calibrate.py",
        {
            "may &= familiarity >= self.lowest_familiarity": "pass",
            "may &= self.answered_classes[proba.argmax(axis=1)]": "pass",
        },
    ),
    *planted(
        "selection/_search_run.py",
        "estimators/test_calibrate.py::test_what_is_unfamiliar_is_not_answered",
        {"None if self.report is None else self.report.lowest_familiarity": "None"},
    ),
    *planted(
        "_answering.py",
        "explanations/test_explanation.py",
        {
            "FAMILIAR_SHARE * areas.sum": "areas.sum",
            "exp.familiarity < exp.lowest_familiarity": "exp.familiarity > exp.lowest_familiarity",
            "unsafe & ~uncertain": "unsafe",
            "(exp.highest_certainty < exp.enough) | ": "",
        },
    ),
    *planted(
        "selection/_calibrating.py",
        "estimators/test_calibrate.py",
        {
            "self.kind.right(self.predicted": "~self.kind.right(self.predicted",
        },
    ),
    *planted(
        "_answer_kinds.py",
        "estimators/test_calibrate.py",
        {
            "np.where(too_certain, middle, low)": "low",
        },
    ),
    *planted(
        "selection/_search_run.py",
        "estimators/test_calibrate.py",
        {
            "self.certainty_threshold if self.report is None": "self.certainty_threshold if True",
        },
    ),
    *planted(
        "estimators/_base.py",
        "estimators/test_calibrate.py",
        {
            "if report is None:\n            return proba": "if True:\n            return proba",
            "named(labels, run.answered(result), reject)": "labels",
        },
    ),
    *planted(
        "estimators/_calibration.py",
        "estimators/test_calibrate.py",
        {
            "for name, used in changes(self, calibration.settings).items():": "for name, used in ():",
            "calibration.reported(calibration.bound)": "calibration.reported(0.5)",
        },
    ),
    *planted(
        "_answering.py",
        "selection/test_search.py",
        {"kind.joint_certainty(visited)": "kind.certainty(visited)"},
    ),
    *planted(
        "_answering.py",
        "metrics/test_stops.py",
        {
            'if fallback == "everything":': 'if fallback != "everything":',
            'if fallback == "most_certain":': 'if fallback != "most_certain":',
            "~same & (levels < most[:, None])": "~same",
            "initial=-1) + 1)": "initial=-1))",
        },
    ),
    *planted(
        "metrics/_stops.py",
        "metrics/test_stops.py",
        {
            "kept[answered].mean()) if some": "kept.mean()) if some",
            "right[answered].mean()) if some": "right.mean()) if some",
        },
    ),
    *planted(
        "estimators/_base.py",
        "estimators/test_p2p.py::test_masks_are_constant_within_regions_and_never_empty",
        {
            "self.tau if tau is None else tau": "self.tau",
        },
    ),
    *planted(
        "_explanation_arrays.py",
        "explanations/test_explanation.py",
        {
            "number + 1 or None": "number + 1",
            "return self.masked_by(self.shown)": "return self.masked_by(~self.pixel_masks)",
            "self._share(self.selection_probs, ": "self._share(self.region_masks, ",
            "embedding.T @ embedding": "embedding.T @ embedding / len(embedding)",
            "np.argsort(-self.selection_logits": "np.argsort(self.selection_logits",
            '"path_tau", "stop_certainty"': '"stop_certainty"',
        },
    ),
    *planted(
        "explanations/_stored_arrays.py",
        "explanations/test_explanation.py",
        {"if version != _FORMAT:": "if False:", "if fault:": "if False:"},
    ),
    *planted(
        "model_selection/_cross_validation.py",
        "test_model_selection.py::test_certainty_search_equals_grid_search_with_one_training_per_fold",
        {
            "rankdata(-filled": "rankdata(filled",
            "set_params(**self.best_params_)": "set_params()",
        },
    ),
    *planted(
        "model_selection/_cross_validation.py",
        "test_model_selection.py::test_certainty_search_refuses_what_needs_training",
        {
            "if parameter in known:": "if True:",
        },
    ),
    *planted(
        "model_selection/_cross_validation.py",
        "test_model_selection.py::test_a_number_of_folds_never_divides_a_group",
        {
            'if "groups" in given and': "if False and",
        },
    ),
    *planted(
        "model_selection/_cross_validation.py",
        "test_model_selection.py::test_equals_scikit_learns_cross_validation[None]",
        {
            'references = ("random_localization", ': 'references = ("center_localization", ',
        },
    ),
    *planted(
        "model_selection/_cross_validation.py",
        "test_model_selection.py::test_one_explanation_per_fold",
        {
            '"verbose": verbose, "return_estimator": return_estimator': '"verbose": verbose',
        },
    ),
    *planted(
        "model_selection/_cross_validation.py",
        "test_model_selection.py::test_bad_masks_stop_before_any_training",
        {
            "check_object_masks(given[name], len(X), (1, 1), name=name)": "pass",
        },
    ),
    *planted(
        "estimators/_training_images.py",
        "estimators/test_bad_input.py::test_labels_come_from_a_data_set_of_pairs",
        {
            "        y = labels_of(X)\n": "        pass\n",
        },
    ),
    *planted(
        "estimators/_inputs.py",
        "estimators/test_own_regions.py::test_regions_that_the_grid_has_no_pixel_for_leave_no_gap",
        {
            "maps[number] = without_gaps(placement.onto_grid(labels, NO_REGION))": "maps[number] = placement.onto_grid(labels, NO_REGION)",
        },
    ),
    *planted(
        "estimators/_inputs.py",
        "estimators/test_own_regions.py::test_refused_with_image_and_remedy",
        {
            'name = f"regions of image {number}"': 'name = "regions of image 0"',
        },
    ),
    *planted(
        "estimators/_inputs.py",
        "estimators/test_own_regions.py::test_maps_of_the_photographs_own_sizes",
        {
            "return abs(first - second) <= 0.05 * max(first, second)": "return True",
        },
    ),
    *planted(
        "selection/_prediction_run.py",
        "methods/test_soft_masks.py::test_a_bound_on_what_is_seen_is_refused",
        {
            "        if self.max_kept is not None:\n            raise InputError(": "        if False:\n            raise InputError(",
        },
    ),
    *planted(
        "model_selection/_cross_validation.py",
        "test_model_selection.py::test_candidates_of_several_grids_start_from_the_same_settings",
        {
            "estimator.set_params(**before | params), X, y, **masks": "estimator.set_params(**params), X, y, **masks",
        },
    ),
    *planted(
        "model_selection/_cross_validation.py",
        "test_model_selection.py::test_certainty_search_refuses_what_needs_training",
        {
            "_check_needs_no_training(self.estimator, name)": "pass",
        },
    ),
    *planted(
        "model_selection/_cross_validation.py",
        "metrics/test_empty_masks.py::test_scorer_and_cross_validation_count",
        {
            'results["empty"] = (-results.pop("neg_n_empty")).astype(int)': "pass",
        },
    ),
    *planted(
        "regions/_connectivity.py",
        "regions/test_labels.py::test_among_equal_borders_the_first_neighbor_or_the_more_alike_one",
        {
            "or (cost == least and other < best)": "or cost == least",
            "cost += difference * difference": "cost += 0 * difference",
        },
    ),
    *planted(
        "estimators/_loss_weights.py",
        "estimators/test_partial_fit.py::test_class_weight",
        {
            "return weight / weight.mean()": "return np.ones_like(weight)",
        },
    ),
    *planted(
        "estimators/_training_images.py",
        "estimators/test_partial_fit.py::test_weight_of_a_class_holds_where_no_other_is_seen",
        {
            "weight = weight * class_weight[target]": "weight = check_sample_weight(weight * class_weight[target] + 1e-9, len(target))",
        },
    ),
    *planted(
        "estimators/_fitting.py",
        "estimators/test_settings.py::test_training_that_goes_on",
        {
            "refuse_changes(self, *fixed)": "pass",
        },
    ),
    *planted(
        "estimators/_fitting.py",
        "estimators/test_settings.py::test_training_that_goes_on_takes_every_setting_as_it_is_now",
        {
            "                self._renew_net()\n": "                pass\n",
        },
    ),
    *planted(
        "training/_training_run.py",
        "estimators/test_settings.py::test_training_that_goes_on_takes_every_setting_as_it_is_now",
        {
            "after.load_state_dict(before.state_dict())": "pass",
            "        group.update(own)": "        pass",
        },
    ),
    *planted(
        "estimators/_base.py",
        "estimators/test_partial_fit.py::test_score_compares_labels_by_value",
        {
            "return super().score(X, true_targets(y, self.classes_, self._kind), sample_weight)": "return super().score(X, y, sample_weight)",
        },
    ),
    *planted(
        "estimators/_changes.py",
        "estimators/test_settings.py::test_what_prediction_may_change",
        {
            "if k not in _OF_THE_MACHINE}": "}",
        },
    ),
    *planted(
        "_settings.py",
        "test_settings_once.py",
        {
            "if name not in settings:": "if False:",
            "given.get(name, declared.default)": "given.get(name)",
            "params[outer] = declared.group() if given is None else copy(given)": "params[outer] = given or declared.group()",
            "if k not in dropped}": "}",
            "constraints=self.constraints or inherited.constraints": "constraints=self.constraints",
            'f"{name}__{k}": v for k, v in group._parameter_constraints.items()': 'f"{k}": v for k, v in group._parameter_constraints.items()',
        },
    ),
    *planted(
        "presets/_preset.py",
        "test_presets.py::test_estimators_of_a_preset_share_nothing",
        {
            "return deepcopy(self._settings[name])": "return self._settings[name]",
            "set_params(**deepcopy(own))": "set_params(**own)",
        },
    ),
    *planted(
        "estimators/_training_images.py",
        "estimators/test_damaged_images.py",
        {
            "    images.check_readable(progress=estimator.verbose > 0)\n": "",
        },
    ),
    *planted(
        "selection/_prediction_run.py",
        "estimators/test_p2p.py::test_what_is_no_region_of_an_image_is_ranked_last",
        {"masked_fill(scores.areas == 0, -torch.inf)": "clone()"},
    ),
    *planted(
        "regions/_slic.py",
        "regions/test_slic.py::test_bounds_of_number_and_size",
        {
            "return ceil(1.5 * n_segments)": "return ceil(3 * n_segments)",
            "int(factor * h * w / n_segments)": "int(factor * n_segments)",
        },
    ),
]
