"""Faults of what is minimized and of what the classifier sees."""

from mutants.fault import planted

P2P = "methods/test_p2p_composed.py"
METHODS = "methods/test_methods_composed.py"
TAUGHT = "methods/test_taught_composed.py"
SEEN = "estimators/test_faithful.py"
SEEN_OF_METHODS = "methods/test_faithful.py"
CHECK = "testing/test_faithfulness.py"

FAULTS = [
    *planted(
        "training/_loss_terms.py",
        "training/test_evidence.py",
        {
            "masks != FORBIDDEN": "masks == FORBIDDEN",
            "return kept - right + missing": "return kept - right - missing",
            "allowed = torch.where(allowed.any(dim=1, keepdim=True), allowed, areas)": "pass",
            "return kept - right": "return areas.log().logsumexp(dim=1) - right",
        },
    ),
    *planted(
        "training/_data.py",
        "training/test_evidence.py",
        {
            "self.masks.batch(some)": "self.masks.batch(some - 1)",
            "joined(proposed, np.stack(regions))": "joined(proposed, masks)",
            "if masks is not None and callable(self.augment)": "if False",
        },
    ),
    *planted(
        "methods/_p2p_objective.py",
        "methods/test_masks_teach.py::test_masks_do_not_change_what_a_tau_stands_for",
        {"of_all.at(offset.detach())[0]": "mean"},
    ),
    *planted(
        "methods/_p2p_objective.py",
        "methods/test_masks_teach.py::test_masks_of_a_fifth_of_the_images_move_the_selection_off_a_shortcut",
        {"of_selector |= mask_terms(": "mask_terms("},
    ),
    *planted(
        "estimators/_evidence_masks.py",
        "estimators/test_masks.py",
        {
            "placement.padded(said, ALLOWED)": "placement.padded(said, FORBIDDEN)",
            "placement.onto_grid(said, ALLOWED)": "placement.onto_grid(said, FORBIDDEN)",
            "if (inside == FORBIDDEN).all()": "if False",
        },
    ),
    *planted(
        "estimators/_training_images.py",
        "estimators/test_masks.py::test_masks_follow_the_rows",
        {"self.masks.part(rows)": "self.masks"},
    ),
    *planted(
        "estimators/_fitting.py",
        "estimators/test_masks.py",
        {
            '"groups": True, "masks": False': '"groups": True, "masks": True',
            "before = self.n_masks_seen_ if continues else 0": "before = 0",
        },
    ),
    *planted(
        "methods/_p2p_objective.py",
        P2P,
        {
            '"sparsity": weight * sparsity_hinge': '"sparsity": -weight * sparsity_hinge',
            "options.covariance_weight * penalty": "0 * penalty",
            "            if embeddings.shape[1]:\n": "            if False:\n",
            "start, end, step.progress)": "start, end, 0.0)",
            "options.sparsity_weight * sparsity_schedule(step.progress)": "options.sparsity_weight",
            "weight = options.sparsity_weight * ": "weight = 10.0 * ",
            "return sample_tau(step, self.tau_min)": "return torch.full((len(step.images),), 0.4)",
            "return torch.full((len(step.images),), self.tau, device=step.images.device)": "return sample_tau(step, self.tau_min)",
            "torch.where(is_random[rows, None], random[rows], masks)": "masks",
            "uniform < self.options.random_share": "uniform < 0.5",
            "max(2, len(is_random)": "max(1, len(is_random)",
            "is_random.int().argsort(stable=True)": "(~is_random).int().argsort(stable=True)",
            "random.index_copy(0, rows, selected)": "random.index_copy(0, rows, random[rows])",
            "~is_random[rows] / (1 - options.random_share)": "~is_random[rows] / 1",
            "share = ~is_random[rows] /": "share = 1 /",
            "share * value": "value",
            "            return is_random, every\n": "            pass\n",
            "if len(rows) < len(images):": "if True:",
            "step.rand_like(areas) < tau[:, None]": "step.rand_like(areas) >= tau[:, None]",
            "areas, tau_min, step.rand_like)": "areas, 0.05, step.rand_like)",
            'self.options.classifier_learns_from == "all"': "True",
            '"selector/cross_entropy": cross_entropy * ~is_random': '"selector/cross_entropy": cross_entropy',
            '"classifier/cross_entropy": cross_entropy * is_random': '"classifier/cross_entropy": cross_entropy',
            "temperature, options.straight_through\n": "temperature\n",
            "tau_min + (1 - tau_min) * step.rand": "(1 - tau_min) * step.rand",
            "range(options.n_samples_mc)": "range(1)",
            "sparsity_hinge(p_bar, tau)": "sparsity_hinge(p_bar, tau.flip(0))",
            "expected_kept_fraction(mean.sigmoid(), scores.areas)": "expected_kept_fraction(masks, scores.areas)",
            "embeddings = scores.at(offset)": "embeddings = scores.at(offset.detach())",
        },
    ),
    *planted(
        "presets/_budget.py",
        "test_suited_to.py",
        {
            "2 * abs(log(width / height / aspect)) + abs(log(area))": "abs(log(area))",
            "if side <= largest and passes <=": "if passes <=",
            "max(self.fewest_epochs, min(": "max(1, min(",
        },
    ),
    *planted(
        "presets/_suited.py",
        "test_suited_to.py",
        {
            " and facts.side <= TINY": " and facts.side < TINY",
            "np.exp(np.log(width / height).mean())": "np.median(width / height)",
            "share if has_some else 0.0 for": "share for",
            '"pretrained": found.pretrained}': '"pretrained": "auto"}',
            "    settings |= given\n": "    settings = given | settings\n",
            "if not facts.holds_out:": "if False:",
            "round(share * epochs)": 'preset["objective"].warmup_epochs',
            'and preset == "auto" and not named\n': 'and preset == "auto"\n',
        },
    ),
    *planted(
        "presets/_weights.py",
        "test_suited_to.py",
        {
            "name not in missing for role, name": "True for role, name",
            "True if folder is None else": '"auto" if folder is None else',
        },
    ),
    *planted(
        "training/_loss_terms.py",
        P2P,
        {
            "progress < 0.1:": "progress < 0.04:",
            "(progress - 0.1) / 0.4": "(progress - 0.1) / 0.9",
            "until: float = 0.5": "until: float = 1.0",
            "(end / start) **": "(start / end) **",
        },
    ),
    *planted(
        "training/_loss_terms.py",
        P2P,
        {
            "sum(dim=1) / areas.sum(dim=1)": "sum(dim=1) / areas.shape[1]",
            "torch.log1p(eps - tau) - torch": "-torch",
            "covariance.abs().sum": "covariance.sum",
            "present.sum(dim=1).square()": "present.sum(dim=1)",
            "F.log_softmax(logits, dim=2).logsumexp(dim=0)": "F.log_softmax(logits, dim=2).mean(dim=0)",
        },
    ),
    *planted(
        "nn/_masking.py",
        P2P,
        {
            "(logits + torch.logit(uniform": "(logits - torch.logit(uniform",
            " + (soft - soft.detach())": "",
            "mean + torch.einsum": "mean - 2 * torch.einsum",
        },
    ),
    *planted(
        "methods/_p2p_objective.py",
        "methods/test_not_encoded.py",
        {
            "uniform < self.options.random_share": "uniform < 0",
        },
    ),
    *planted(
        "nn/_random_masks.py",
        "nn/test_random_masks.py",
        {
            "min_share + (1 - min_share) *": "(1 - min_share) *",
            "rand_like(areas[:, 0]) < 0.5": "rand_like(areas[:, 0]) < 0.2",
            ".masked_fill(areas == 0, torch.inf)": "",
            "regions, areas) + uniform": "regions, areas)",
            "kept[:, 0] = True": "",
            "share[:, None] * used[:, -1:]": "share[:, None] * used.max()",
            "centers.gather(2, start": "centers.gather(2, 0 * start",
        },
    ),
    *planted(
        "nn/_selectors.py",
        P2P,
        {
            "F.softplus(self.raw_slope) * torch": "-F.softplus(self.raw_slope) * torch",
            "return tau[:, None] * self._additive": "return 0 * tau[:, None] * self._additive",
            "MAX_TAU = 0.995": "MAX_TAU = 0.9",
        },
    ),
    *planted(
        "methods/_p2p.py",
        "methods/test_head_first.py",
        {
            "1.0 if options.head_first else share": "share",
            "begin = partial(begin_with_head, 1.0) if options.head_first else first": "begin = first",
            "then = partial(_freeze, share)": "then = first",
            "begin, first)": "begin)",
            "then, then, continues": "then, continues",
        },
    ),
    *planted(
        "methods/_p2p.py",
        P2P,
        {
            "P2PObjective(options, tau_min, self.trained_tau_)": "P2PObjective(P2PObjectiveOptions(), tau_min, self.trained_tau_)",
            "RandomMaskObjective(tau_min, ": "RandomMaskObjective(1.0, ",
            "options, tau_min, self.trained_tau_)": "options, tau_min)",
            "options, tau_min, self": "options, 0.05, self",
            'both = ("selector", "classifier")': 'both = ("selector",)',
            "every_shape=options.random_share > 0": "every_shape=False",
        },
    ),
    *planted(
        "training/_net.py",
        P2P,
        {
            "done = self.epoch - first + self._share_of_epoch": "done = 0",
            "done = self.epoch - first + self._share_of_epoch\n": "done = self.epoch - first\n",
            "done = self.epoch - first + self._share_of_epoch\n        ": "done = self.epoch + self._share_of_epoch\n        ",
            "(torch.stack(values).sum(dim=0) * weight).mean()": "torch.stack(values).sum(dim=0).mean()",
        },
    ),
    *planted(
        "training/_net.py",
        TAUGHT,
        {
            "inputs=self._parameters_of(module), retain": 'inputs=self._parameters_of(""), retain',
        },
    ),
    *planted(
        "training/_phases.py",
        METHODS,
        {
            "learns = name in phase.trainable": "learns = True",
        },
    ),
    *planted(
        "methods/_gradient_estimators.py",
        METHODS,
        {
            "(1 - masks) * F.logsigmoid(-logits)": "(1 - masks) * F.logsigmoid(logits)",
            "(log_prob * present).sum": "log_prob.sum",
            "(hard - relaxed_given).detach()": "hard.detach()",
            "(1 - masks) * v * q": "(1 - masks) * v",
            "+ relaxed - relaxed_given": "+ relaxed",
        },
    ),
    *planted(
        "methods/_base.py",
        METHODS,
        {
            "torch.relu(kept - tau)": "torch.relu(tau - kept)",
        },
    ),
    *planted(
        "methods/_bcos.py",
        METHODS,
        {
            "out.abs() / norm.repeat": "out / norm.repeat",
            "self.logit_bias = -math": "self.logit_bias = math",
            "torch.cat([images, 1 - images], dim=1)": "torch.cat([images, images], dim=1)",
        },
    ),
    *planted(
        "methods/_blackbox_guided.py",
        TAUGHT,
        {
            "(log_teacher.exp() * (log_teacher -": "(log_teacher.exp() * (-log_teacher +",
            "torch.where(apart > _ROUNDING, apart, 0.0)": "apart.square()",
            "model.blackbox.state_dict()": "model.classifier.state_dict()",
        },
    ),
    *planted(
        "methods/_diet.py",
        TAUGHT,
        {
            "distillation(step, full, step.model(shown))": "distillation(step, full, full)",
            "l1_distance(teacher, full) + l1": "l1",
            "(self.cells > threshold)": "(self.cells > 0.5)",
        },
    ),
    *planted(
        "methods/_amortized_diet.py",
        TAUGHT,
        {
            "(1 - 0.9 * step.progress)": "(1 + 0.9 * step.progress)",
            "0.1 + 0.4 * step.progress": "0.5",
            "l1_distance(full.detach(), soft)": "l1_distance(full.detach(), hard)",
        },
    ),
    *planted(
        "methods/_diet.py",
        TAUGHT,
        {
            "colors + pixel_masks[:, None]": "colors + (1 - pixel_masks)[:, None]",
            "cells - self.step": "cells + self.step",
            "if self.random:": "if False:",
            "self.area_weight * area + l1": "l1",
        },
    ),
    *planted(
        "methods/_rbaem.py",
        TAUGHT,
        {
            "REACH, GAIN = 108 / 224": "REACH, GAIN = 100 / 224",
            "(2 * sigma.square())": "sigma.square()",
            "mean_side(size) * math.sqrt(area / (2 * math.pi))": "mean_side(size) * math.sqrt(area / math.pi)",
        },
    ),
    *planted(
        "selection/_prediction_run.py",
        SEEN,
        {
            "images = apply_mask(as_float_images(images), pixel_masks, self.rule.fill)": "images = as_float_images(images)",
            "as_float_images(images), pixel_masks, ": "as_float_images(images), pixel_masks.float().clamp(min=1e-6), ",
            "pixel_masks, self.rule.fill)\n": "pixel_masks, self.rule.fill) + 1e-6 * as_float_images(images).mean(dim=(2, 3), keepdim=True)\n",
        },
    ),
    *planted(
        "selection/_prediction_run.py",
        SEEN_OF_METHODS,
        {
            "return apply_mask(as_float_images(images), masks, self.rule.fill)": "return as_float_images(images)",
            "masks = to_pixels(shown, regions)": "masks = to_pixels(shown.clamp(min=1e-6), regions)",
            "images = apply_mask(as_float_images(images), pixel_masks, self.rule.fill)": "images = as_float_images(images)",
        },
    ),
    *planted(
        "selection/_prediction_run.py",
        CHECK,
        {
            "images = apply_mask(as_float_images(images), pixel_masks, self.rule.fill)": "images = as_float_images(images)",
            "as_float_images(images), pixel_masks, ": "as_float_images(images), pixel_masks.float().clamp(min=1e-6), ",
            "masks = to_pixels(shown, regions)": "masks = to_pixels(shown.clamp(min=1e-6), regions)",
        },
    ),
    *planted(
        "_fill.py",
        "test_fill.py",
        {
            # What others call blur: it shows the low frequencies of what was removed.
            "rest = _blurred(shown, masks)": "rest = _blurred(images, masks * 0 + 1)",
            "rest = _noise(shown)": "rest = _noise(images)",
            "return shown + (1 - masks) * rest": "return rest + masks * (images - rest)",
            "1 + np.arange(np.prod(": "np.arange(np.prod(",
            "_FAR * mean) / (": "_FAR * 0) / (",
            "_mixed((_mixed(key) + place) & _BITS)": "_mixed(place)",
        },
    ),
    *planted(
        "_fill.py",
        SEEN,
        {
            "shown = images * masks\n": "shown = images * masks.clamp(min=1e-6)\n",
        },
    ),
    *planted(
        "nn/_model.py",
        SEEN,
        {
            "shown = apply_mask(images, pixel_masks, self.fill)": "shown = images",
            "to_pixels(region_masks, regions)": "to_pixels(region_masks.clamp(min=1e-6), regions)",
        },
    ),
    *planted(
        "nn/_model.py",
        "methods/test_fills.py::test_training_shows_what_prediction_shows",
        {"pixel_masks, self.fill)": "pixel_masks)"},
    ),
    *planted(
        "nn/_token_dropping.py",
        "nn/test_token_dropping.py",
        {
            "mask = None if there.all() else there[:, None, None]": "mask = None",
            "[order.argsort()]": "[order]",
            "shows &= weights > LEAST": "shows &= weights > 0.5",
            "weights.clamp(min=LEAST).log()": "weights.clamp(min=LEAST)",
        },
    ),
    *planted(
        "methods/_comet.py",
        "methods/test_fills.py::test_the_rest_that_a_detector_sees_has_the_fill",
        {"hidden, step.model.fill)": "hidden)"},
    ),
    *planted(
        "methods/_judge.py",
        "methods/test_fills.py::test_a_judge_has_the_fill_of_its_model",
        {'settings["networks__fill"] = clf.fill_': "pass"},
    ),
    *planted(
        "methods/_p2p_objective.py",
        "distributed/test_processes.py::test_parts_of_a_batch_learn_what_all_of_it_does",
        {"[:n_rows].sort().values": "[:n_rows]"},
    ),
    *planted(
        "methods/_judge.py",
        "test_audit.py::test_a_judge_has_the_settings_of_its_model",
        {
            "max(10, clf.max_epochs // 2)": "10",
            "10 * clf.max_epochs": "200",
        },
    ),
    *planted(
        "metrics/_perturbed_images.py",
        "methods/test_fills.py::test_curves_and_complements_remove_as_the_model_does",
        {"masks[i] * shown, part.fill)": 'masks[i] * shown, "black")'},
    ),
    *planted(
        "_explanation_arrays.py",
        SEEN,
        {
            "return self.masked_by(self.shown)": "return self.images",
        },
    ),
    *planted(
        "presets/_named.py",
        "test_presets.py",
        {
            '"objective__sparsity_weight": 10.0,': '"objective__sparsity_weight": 1.0,',
            '"objective__covariance_weight": 0.01,': '"objective__covariance_weight": 0.1,',
            '"networks__tau_input": "additive",': '"networks__tau_input": "logit",',
        },
    ),
    *planted(
        "training/_loss_terms.py",
        "training/test_loss_terms.py",
        {
            "embeddings * present[:, None]": "embeddings",
        },
    ),
    *planted(
        "methods/_diet.py",
        "methods/test_diet.py::test_an_image_that_is_done_waits_for_the_others",
        {
            "moved = torch.where(busy[:, None, None], moved, cells.detach())": "",
        },
    ),
    *planted(
        "nn/_masking.py",
        "nn/test_regions_in_torch.py",
        {
            "sums[..., 1:] / areas[:, None].clamp(min=1)": "sums[..., 1:] / areas.mean()",
        },
    ),
    *planted(
        "training/_phases.py",
        "methods/test_realx.py::test_the_classifier_is_frozen_while_the_selector_learns",
        {
            "epoch < first + phase.epochs or": "epoch <= first + phase.epochs or",
        },
    ),
    *planted(
        "methods/_p2p.py",
        "estimators/test_p2p.py::test_a_budget_is_a_guarantee",
        {
            '"budget" if self.selection == "budget"': '"budget" if False',
        },
    ),
]
