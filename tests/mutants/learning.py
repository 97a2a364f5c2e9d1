"""Faults of what is minimised: terms, schedules, gradients, the methods' objectives."""

from mutants.fault import planted

COMPOSED = "objectives/test_p2p_composed.py"
METHODS = "objectives/test_methods_composed.py"
FROZEN = "baselines/test_realx.py::test_the_classifier_is_frozen_while_the_selector_learns"
TAUGHT = "objectives/test_taught_composed.py"

FAULTS = [
    *planted(
        "objectives/p2p.py",
        COMPOSED,
        {
            '"sparsity": weight * sparsity_hinge': '"sparsity": -weight * sparsity_hinge',
            "self.covariance_weight * penalty": "0 * penalty",
            "mean if not embeddings.shape[1] else sample_logits(mean, embeddings)": "mean",
            "self.final_temperature, step.progress)": "self.final_temperature, 0.0)",
            "self.sparsity_weight * sparsity_ramp(step.progress)": "self.sparsity_weight",
            "weight = self.sparsity_weight * ": "weight = 10.0 * ",
            "return sample_tau(n, self.tau_min, device)": (
                "return torch.full((n,), 0.4, device=device)"
            ),
            "return torch.full((n,), self.tau, device=device)": (
                "return sample_tau(n, self.tau_min, device)"
            ),
            "torch.rand_like(areas) < tau[:, None]": "torch.rand_like(areas) >= tau[:, None]",
            "temperature, self.straight_through)": "temperature)",
            "tau_min + (1 - tau_min) * torch.rand": "(1 - tau_min) * torch.rand",
            "range(self.n_samples_mc)": "range(1)",
            "sparsity_hinge(p_bar, tau)": "sparsity_hinge(p_bar, tau.flip(0))",
        },
    ),
    *planted(
        "objectives/schedules.py",
        "objectives/test_p2p.py",
        {
            "progress < 0.1:": "progress < 0.2:",
            "0.01 + 0.99 * (progress - 0.1) / 0.4": "0.01 + 0.99 * progress",
            "(end / start) **": "(start / end) **",
        },
    ),
    *planted(
        "objectives/terms.py",
        "objectives/test_terms.py",
        {
            "sum(dim=1) / areas.sum(dim=1)": "sum(dim=1) / areas.shape[1]",
            "torch.log1p(eps - tau) - torch": "-torch",
            "covariance.abs().sum": "covariance.sum",
            "embeddings * present[:, None]": "embeddings",
            "present.sum(dim=1).square()": "present.sum(dim=1)",
            "torch.log(torch.tensor(float(len(logits)))) - log": "-log",
        },
    ),
    *planted(
        "objectives/teaching.py",
        TAUGHT,
        {
            "(log_teacher.exp() * (log_teacher -": "(log_teacher.exp() * (-log_teacher +",
            "model.blackbox.state_dict()": "model.classifier.state_dict()",
        },
    ),
    *planted(
        "objectives/gradients.py",
        "baselines/test_realx.py",
        {
            "(1 - masks) * F.logsigmoid(-logits)": "(1 - masks) * F.logsigmoid(logits)",
            "(log_prob * present).sum": "log_prob.sum",
            "(hard - relaxed_given).detach()": "hard.detach()",
            "(1 - masks) * v * q": "(1 - masks) * v",
        },
    ),
    *planted(
        "objectives/diet.py",
        TAUGHT,
        {
            "distillation(step, full, step.model(shown))": "distillation(step, full, full)",
            "l1_distance(teacher, full) + l1": "l1",
            "(1 - 0.9 * step.progress)": "(1 + 0.9 * step.progress)",
            "0.1 + 0.4 * step.progress": "0.5",
        },
    ),
    *planted(
        "objectives/instance_masks.py",
        TAUGHT,
        {
            "colours + pixel_masks[:, None]": "colours + (1 - pixel_masks)[:, None]",
            "cells - self.step": "cells + self.step",
        },
    ),
    *planted(
        "objectives/instance_masks.py",
        "baselines/test_diet.py::test_an_image_that_is_done_waits_for_the_others",
        {"moved = torch.where(busy[:, None, None], moved, cells.detach())": ""},
    ),
    *planted(
        "objectives/areas.py",
        "baselines/test_realx.py",
        {"torch.relu(kept - tau)": "torch.relu(tau - kept)"},
    ),
    *planted(
        "baselines/realx.py",
        METHODS,
        {
            "return -F.cross_entropy(out,": "return F.cross_entropy(out,",
            '{"reward": -gained,': '{"reward": gained,',
            "scores.areas > 0, self.temperature)": "scores.areas > 0)",
        },
    ),
    *planted(
        "baselines/realx.py",
        FROZEN,
        {'reward, ("selector",)': 'reward, ("selector", "classifier")'},
    ),
    *planted(
        "baselines/infomask.py",
        METHODS,
        {
            '"kl": self.beta * kl': '"kl": -self.beta * kl',
            "log_variance.exp() - 1 - log": "log_variance.exp() - 1 + log",
            "torch.relu(z.sigmoid() - threshold)": "torch.relu(z.sigmoid())",
        },
    ),
    *planted(
        "baselines/rbaem.py",
        TAUGHT,
        {
            "scores.areas) - self.tau)": "scores.areas) + self.tau)",
            '"smoothness": self.smoothness_weight': '"smoothness": 0',
            "ask(step.model.blackbox, step.images), out)}": "out, out)}",
        },
    ),
    *planted(
        "baselines/invase.py",
        METHODS,
        {
            "self.area_weight * area_penalty": "0 * area_penalty",
            "reference - critic": "critic - reference",
        },
    ),
    *planted(
        "baselines/comet.py",
        TAUGHT,
        {
            "+ self.margin)": ")",
            "self.margin_weight * margin.expand": "0 * margin.expand",
            "self.area_weight * area,": "area,",
            "to_pixels(1 - mask, step.regions)": "to_pixels(mask, step.regions)",
            "step.regions, 1 - mask)": "step.regions, mask)",
        },
    ),
    *planted(
        "baselines/l2x.py",
        METHODS,
        {
            "masked_fill(beyond[:, :, None], 0)": "clone()",
            ".amax(dim=1)": ".mean(dim=1)",
        },
    ),
    *planted(
        "baselines/bcos.py",
        METHODS,
        {"1 / logits.shape[1])": "0.0)"},
    ),
    *planted(
        "baselines/blackbox_pixel.py",
        METHODS,
        {"min(1.0, 2 * progress)": "min(1.0, progress)"},
    ),
    *planted(
        "nn/sampling.py",
        "nn/test_regions_in_torch.py",
        {
            "(logits + torch.logit(uniform)) / temperature": "logits / temperature",
            " + (soft - soft.detach())": "",
        },
    ),
    *planted(
        "nn/pooling.py",
        "nn/test_regions_in_torch.py",
        {"sums / areas[:, None].clamp(min=1)": "sums / areas.mean()"},
    ),
    *planted(
        "nn/masking.py",
        "nn/test_regions_in_torch.py",
        {"return images * masks\n": "return images * masks.clamp(min=1e-6)\n"},
    ),
    *planted(
        "nn/selectors.py",
        "objectives/test_p2p.py nn/test_backbones.py",
        {
            "F.softplus(self.raw_slope) * torch": "-F.softplus(self.raw_slope) * torch",
            "tau[:, None] * self._head": "0 * tau[:, None] * self._head",
        },
    ),
    *planted(
        "training/net.py",
        COMPOSED,
        {
            "done = self.epoch - first + self._share_of_epoch": "done = 0",
            "(torch.stack(values).sum(dim=0) * weight).mean()": (
                "torch.stack(values).sum(dim=0).mean()"
            ),
        },
    ),
    *planted(
        "training/phases.py",
        FROZEN,
        {
            "learns = name in phase.trainable": "learns = True",
            "epoch < first + phase.epochs or": "epoch <= first + phase.epochs or",
        },
    ),
    *planted(
        "estimators/p2p_hooks.py",
        COMPOSED,
        {
            "sparsity_weight=self.sparsity_weight,\n            cov": "cov",
            "straight_through=self.straight_through,\n        )": ")",
            "RandomMaskObjective(self.tau_min)": "RandomMaskObjective(1.0)",
        },
    ),
    *planted(
        "estimators/p2p_hooks.py",
        "estimators/test_p2p.py::test_a_budget_is_a_guarantee",
        {'if self.selection == "budget":': "if False:"},
    ),
    *planted(
        "presets.py",
        "test_presets.py",
        {
            '"sparsity_weight": 10.0,': '"sparsity_weight": 1.0,',
            '"covariance_weight": 0.01,': '"covariance_weight": 0.1,',
            '"tau_input": "additive",': '"tau_input": "logit",',
        },
    ),
]
