"""Faults of how the methods train and what they report."""

from mutants.fault import planted

METHODS = "methods/test_methods_composed.py"
TAUGHT = "methods/test_taught_composed.py"
FIXED_TAU = "estimators/test_fixed_tau.py"
DIET = "methods/test_diet.py"
SOFT = "methods/test_soft_masks.py"

FAULTS = [
    *planted(
        "methods/_p2p_objective.py",
        "methods/test_label_masks.py",
        {
            "of_all if asked is None else of_all.of(asked[rows])": "of_all",
            "(torch.stack(logits), asked=asked)": "(torch.stack(logits))",
            "asks_all |= is_random": "pass",
        },
    ),
    *planted(
        "nn/_model.py",
        "methods/test_label_masks.py",
        {
            "by_label.amax(dim=1, keepdim=True)": "by_label[:, :1]",
            "torch.where(label[:, None] < 0, self.maps[:, 0], own)": "own",
        },
    ),
    *planted(
        "training/_phases.py",
        "methods/test_label_masks.py",
        {"only = n_labels * F": "only = F", "else own * weight": "else own"},
    ),
    *planted(
        "selection/_prediction_run.py",
        "methods/test_label_masks.py",
        {"scores = scores.of(regions.new_full((len(regions),), target))": "pass"},
    ),
    *planted(
        "runtime.py",
        "test_runtime.py::test_what_takes_the_place_of_removed_pixels",
        {"means[:, own].max(axis=1, keepdims=True)": "means[:, :1]"},
    ),
    *planted(
        "methods/_realx.py",
        METHODS,
        {
            "return -step.cross_entropy(out,": "return step.cross_entropy(out,",
            '{"reward": -gained,': '{"reward": gained,',
            "scores.areas > 0, u, v, self.temperature)": "scores.areas > 0, u, v)",
            'prior, ("classifier",)': 'reward, ("classifier",)',
            "rate = step.rand_like(rate)": "pass",
            "self.area_weight, self._hinge, self.estimator,": "self.area_weight, None, self.estimator,",
            "self.area_weight * area_penalty": "area_penalty",
        },
    ),
    *planted(
        "methods/_infomask.py",
        METHODS,
        {
            '"kl": self.beta * kl': '"kl": -self.beta * kl',
            "log_variance.exp() - 1 - log": "log_variance.exp() - 1 + log",
            "torch.relu(z.sigmoid() - threshold)": "torch.relu(z.sigmoid())",
            "kl = kl / present.sum(dim=1)": "pass",
            "torch.exp(log_variance / 2) * step.randn_like": "torch.exp(log_variance) * step.randn_like",
            'terms["area"] = area_penalty(kept, self.tau)': "pass",
        },
    ),
    *planted(
        "methods/_invase.py",
        METHODS,
        {
            "self.area_weight * area_penalty": "0 * area_penalty",
            "reference - critic": "critic - reference",
            'terms["baseline/cross_entropy"] = step.cross_entropy(out)': "pass",
        },
    ),
    *planted(
        "methods/_l2x.py",
        METHODS,
        {
            "masked_fill(beyond[:, :, None], 0)": "clone()",
            ".amax(dim=1)": ".mean(dim=1)",
            "-torch.log(-torch.log(": "torch.log(-torch.log(",
            ".masked_fill(scores.areas == 0, -torch.inf)": "",
            "+ gumbel) / temperature": "+ gumbel)",
        },
    ),
    *planted(
        "methods/_bcos.py",
        METHODS,
        {
            "1 / logits.shape[1])": "0.0)",
        },
    ),
    *planted(
        "methods/_blackbox_pixel.py",
        METHODS,
        {
            "min(1.0, 2 * progress)": "min(1.0, progress)",
            "self.tau ** min": "0.3 ** min",
            ".clamp(min=1)": "",
        },
    ),
    *planted(
        "methods/_comet.py",
        TAUGHT,
        {
            "+ self.margin)": ")",
            "self.margin_weight * margin.expand": "0 * margin.expand",
            "self.area_weight * area,": "area,",
            "to_pixels(1 - mask, step.regions)": "to_pixels(mask, step.regions)",
            "step.regions, 1 - mask)": "step.regions, mask)",
            "1 - self.tau if self.inverted": "self.tau if self.inverted",
            '"selector/cross_entropy": predicted,': "",
            "step.mean(predicted) - step.mean(detected)": "predicted - detected",
        },
    ),
    *planted(
        "methods/_rbaem.py",
        TAUGHT,
        {
            "scores.areas) - self.tau)": "scores.areas) + self.tau)",
            "torch.relu(expected_kept_fraction(masks, scores.areas) - self.tau)": "torch.relu(self.tau - expected_kept_fraction(masks, scores.areas))",
            '"smoothness": self.smoothness_weight': '"smoothness": 0',
            'return {"agreement": kl_to_teacher(teacher, out)}': 'return {"agreement": kl_to_teacher(out, out)}',
            "self.area_weight * area,": "area,",
            "(masks + 5e-4) ** self.area_power": "masks",
            "self._hinge\n        )": "None\n        )",
            "low + (high - low) * draw[:, 2]": "high",
            "0.3 * border": "border",
        },
    ),
    *planted(
        "methods/_diet.py",
        f"{DIET}::test_later_stages_weigh_the_area_less_and_round_at_a_higher_value",
        {
            "self._optimizer(1 - 0.9 * done, True)": "self._optimizer(1.0, True)",
            "optimizer, 0.1 + 0.4 * done, k": "optimizer, 0.1, k",
            "weight * self.area_weight,": "weight,",
            "self._hinge,\n            self.mask_step": "None,\n            self.mask_step",
        },
    ),
    *planted(
        "methods/_realx.py",
        "methods/test_realx.py::test_the_classifier_is_frozen_while_the_selector_learns",
        {
            'reward, ("selector",)': 'reward, ("selector", "classifier")',
        },
    ),
    *planted(
        "methods/_p2p.py",
        f"{FIXED_TAU}::test_a_fixed_tau_is_trained_for_and_the_selector_is_not_told",
        {
            "told = options.tau_input if self.trained_tau_ is None else None": (
                "told = options.tau_input"
            ),
        },
    ),
    *planted(
        "estimators/_base.py",
        f"{FIXED_TAU}::test_another_tau_is_refused_by_the_cut_and_answered_by_a_budget",
        {"self._check_tau(tau)": ""},
    ),
    *planted(
        "methods/_p2p.py",
        f"{FIXED_TAU}::test_uniform_training_serves_a_fixed_tau_with_the_model_of_the_search",
        {'"dynamic" or self._objective_options.tau_training == "uniform"': '"dynamic"'},
    ),
    *planted(
        "methods/_p2p.py",
        f"{FIXED_TAU}::test_training_goes_on_for_the_same_tau_only",
        {"if continues and self._tau_to_train != self.trained_tau_:": "if False:"},
    ),
    *planted(
        "methods/_p2p.py",
        f"{FIXED_TAU}::test_saved_models_know_what_they_were_trained_for",
        {', "trained_tau_")': ",)"},
    ),
    *planted(
        "methods/_infomask.py",
        "methods/test_infomask.py::test_regions_are_ranked_by_the_mean_whatever_is_shown",
        {
            "RegionScores(mean[:, None], scores": (
                "RegionScores((mean + fixed_noise(mean))[:, None], scores"
            )
        },
    ),
    *planted(
        "_explanation_arrays.py",
        f"{SOFT}::test_what_is_reported_as_kept_is_what_was_visible",
        {"self._share(self.visible_region_masks, ": "self._share(self.region_masks, "},
    ),
    *planted(
        "selection/_prediction_run.py",
        f"{SOFT}::test_a_bound_on_what_is_seen_is_refused",
        {"if self.max_kept is not None:\n            raise": "if False:\n            raise"},
    ),
    *planted(
        "training/_shares.py",
        "methods/test_comet.py::test_images_of_weight_zero_have_no_part_in_the_margin",
        {"[values * weight, weight]": "[values, torch.ones_like(weight)]"},
    ),
    *planted(
        "training/_shares.py",
        "methods/test_comet.py::test_means_of_a_batch_count_an_image_as_often_as_its_weight",
        {" / weights.clamp(min=1e-12)": " / len(weight)"},
    ),
    *planted(
        "methods/_diet.py",
        f"{DIET}::test_masks_are_those_of_the_images_that_are_learned_from",
        {"phase.objective.memory.forget()": "pass"},
    ),
    *planted(
        "training/_net.py",
        f"{DIET}::test_masks_are_those_of_the_images_that_are_learned_from",
        {"else phase.before_epoch": "else None"},
    ),
    *planted(
        "methods/_diet.py",
        f"{DIET}::test_a_stage_that_goes_on_with_the_same_images_keeps_their_masks",
        {"if self.memory.is_empty:": "if True:"},
    ),
    *planted(
        "methods/_p2p.py",
        "estimators/test_fixed_tau.py::test_uniform_training_serves_a_fixed_tau_with_the_model_of_the_search",
        {
            'every = self.tau == "dynamic" or self._objective_options.tau_training == "uniform"': 'every = self.tau == "dynamic"',
        },
    ),
    *planted(
        "methods/_infomask.py",
        "methods/test_infomask.py::test_regions_are_ranked_by_the_mean_whatever_is_shown",
        {
            "return RegionScores(mean[:, None], scores.areas, shown)": "return RegionScores((mean + torch.exp(log_variance / 2) * fixed_noise(mean))[:, None], scores.areas, shown)",
        },
    ),
    *planted(
        "training/_net.py",
        "methods/test_diet.py::test_masks_are_those_of_the_images_that_are_learned_from",
        {
            "prepare = phase.begin if self.epoch == first else phase.before_epoch": "prepare = phase.begin if self.epoch == first else None",
        },
    ),
    *planted(
        "methods/_p2p.py",
        "test_prediction_parameters.py::test_declared_settings_do_not_change_what_is_learned_and_a_trained_tau_does[p2p]",
        {
            'return own | {"tau"} if self._objective_options.tau_training == "uniform" else own': 'return own | {"tau"}',
        },
    ),
    *planted(
        "methods/_base.py",
        "test_prediction_parameters.py::test_a_search_refuses_a_tau_that_is_trained_for",
        {
            "trained = self._trains_for_tau or self._hinge is not None": "trained = False",
        },
    ),
    *planted(
        "methods/_l2x.py",
        "test_prediction_parameters.py::test_declared_settings_do_not_change_what_is_learned_and_a_trained_tau_does[l2x-penalty]",
        {
            "_trains_for_tau = True": "_trains_for_tau = False",
        },
    ),
    *planted(
        "nn/_masking.py",
        "nn/test_regions_in_torch.py::test_straight_through_is_binary_with_the_relaxed_gradient",
        {
            "return (soft > 0.5).to(soft.dtype) + (soft - soft.detach())": "return (soft > 0.5).to(soft.dtype) + soft - soft.detach()",
        },
    ),
    *planted(
        "methods/_bcos.py",
        "methods/test_bcos.py::test_what_contributions_leave_out_is_said",
        {
            "if abs(share - 1) > _TOLERANCE:": "if False:",
        },
    ),
    *planted(
        "methods/_infomask.py",
        "methods/test_infomask.py::test_regions_are_ranked_by_the_mean_whatever_is_shown",
        {
            "return RegionScores(mean[:, None], scores.areas, shown)": "return RegionScores((mean + torch.exp(log_variance / 2) * fixed_noise(mean) * self.noise)[:, None], scores.areas, shown)",
        },
    ),
    *planted(
        "nn/_weights.py",
        "nn/test_weight_files.py::test_wrappers",
        {
            "prefix = prefixes[counts.index(max(counts))]": 'prefix = ""',
        },
    ),
    *planted(
        "nn/_weights.py",
        "nn/test_weight_files.py::test_refused",
        {
            "if k in wanted and v.shape == wanted[k].shape}": "if k in wanted}",
            "if missing:": "if False:",
        },
    ),
    *planted(
        "nn/_own_networks.py",
        "nn/test_own_networks.py::test_trying_changes_nothing",
        {
            "network = deepcopy(network)": "pass",
            "state = {k: v.clone() for k, v in network.named_buffers()}": "state = dict(network.named_buffers())",
        },
    ),
    *planted(
        "nn/_own_networks.py",
        "nn/test_own_networks.py::test_classifiers_refused",
        {
            "for training in (True, False):": "for training in (False,):",
        },
    ),
    *planted(
        "nn/_dilation.py",
        "nn/test_dilation.py::test_the_network_that_was_given_stays_as_it_is",
        {
            "network = deepcopy(network)": "pass",
        },
    ),
    *planted(
        "nn/_backbones.py",
        "persistence/test_strangers.py::test_options_that_name_files",
        {
            "if settled := sorted(set(options or {}) & {*_SETTLED}):": "if settled := []:",
        },
    ),
]
