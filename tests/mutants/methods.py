"""Faults of how methods train and report: fixed tau, continuous masks, weights, DiET."""

from mutants.fault import planted

FIXED_TAU = "estimators/test_fixed_tau.py"
DIET = "baselines/test_diet.py"
SOFT = "baselines/test_soft_masks.py"

FAULTS = [
    *planted(
        "estimators/p2p_hooks.py",
        f"{FIXED_TAU}::test_a_fixed_tau_is_trained_for_and_the_selector_is_not_told",
        {
            "tau=self.trained_tau_,": "tau=None,",
            "told = self.tau_input if self.trained_tau_ is None else None": (
                "told = self.tau_input"
            ),
        },
    ),
    *planted(
        "estimators/base.py",
        f"{FIXED_TAU}::test_another_tau_is_refused_by_the_cut_and_answered_by_a_budget",
        {"self._check_tau(tau)": ""},
    ),
    *planted(
        "estimators/p2p_hooks.py",
        f"{FIXED_TAU}::test_uniform_training_serves_a_fixed_tau_with_the_model_of_the_search",
        {'"dynamic" or self.tau_training == "uniform"': '"dynamic"'},
    ),
    *planted(
        "estimators/p2p_hooks.py",
        f"{FIXED_TAU}::test_training_goes_on_for_the_same_tau_only",
        {"if again and wanted != self.trained_tau_:": "if False:"},
    ),
    *planted(
        "persistence.py",
        f"{FIXED_TAU}::test_saved_models_know_what_they_were_trained_for",
        {', "trained_tau_")': ")"},
    ),
    *planted(
        "baselines/infomask.py",
        "baselines/test_infomask.py::test_regions_are_ranked_by_the_mean_whatever_is_shown",
        {
            "RegionScores(mean[:, None], scores": (
                "RegionScores((mean + fixed_noise(mean))[:, None], scores"
            )
        },
    ),
    *planted(
        "explanation/__init__.py",
        f"{SOFT}::test_what_is_reported_as_kept_is_what_was_visible",
        {"areas * self.visible_region_masks": "areas * self.region_masks"},
    ),
    *planted(
        "estimators/selection.py",
        f"{SOFT}::test_a_bound_on_what_is_seen_is_refused",
        {"if self.max_kept is not None:\n            raise": "if False:\n            raise"},
    ),
    *planted(
        "training/team.py",
        "baselines/test_comet.py::test_images_of_weight_zero_have_no_part_in_the_margin",
        {"return mean(values * weight) / mean(weight).clamp(min=1e-12)": "return mean(values)"},
    ),
    *planted(
        "training/team.py",
        "baselines/test_comet.py::test_means_of_a_batch_count_an_image_as_often_as_its_weight",
        {" / mean(weight).clamp(min=1e-12)": ""},
    ),
    *planted(
        "baselines/diet.py",
        f"{DIET}::test_masks_are_those_of_the_images_that_are_learned_from",
        {"phase.objective.memory.forget()": "pass"},
    ),
    *planted(
        "training/net.py",
        f"{DIET}::test_masks_are_those_of_the_images_that_are_learned_from",
        {"else phase.before_epoch": "else None"},
    ),
    *planted(
        "objectives/diet.py",
        f"{DIET}::test_a_stage_that_goes_on_with_the_same_images_keeps_their_masks",
        {"if self.memory.is_empty:": "if True:"},
    ),
]
