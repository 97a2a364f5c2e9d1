"""Faults of networks by name: where weights are, which maps there are, which sizes are seen."""

from mutants.fault import planted

FAULTS = [
    *planted(
        "nn/_network_names.py",
        "nn/test_weight_sources.py::test_names_of_files",
        {
            "    for end in range(len(stem), 0, -1):": "    for end in range(1, len(stem) + 1):",
            'if stem[end : end + 1] not in ("", ".", "_", "-"):': "if False:",
        },
    ),
    *planted(
        "nn/_weight_sources.py",
        "nn/test_weight_sources.py",
        {
            '        if not tag or rest == usual or not rest.startswith(".")\n': "",
            "if time.monotonic() - since >= _SILENCE:": "if True:",
            'if getattr(error, "response", None) is None and not hasattr(error, "code"):': "if True:",
        },
    ),
    *planted(
        "nn/_timm_sketches.py",
        "nn/test_families.py::test_sides_are_rounded_up_to_what_a_network_can_see",
        {"tuple(-(-s // m) * m for": "tuple(max(s // m, 1) * m for"},
    ),
    *planted(
        "nn/_timm_sketches.py",
        "nn/test_families.py::test_a_border_that_is_no_whole_patch_is_seen",
        {"return tuple(module.stride) if cut else (1, 1)": "return (1, 1)"},
    ),
    *planted(
        "nn/_timm_sketches.py",
        "nn/test_families.py::test_as_classifier[efficientformerv2_s0]",
        {"                    _check_weights(name, own, network, {**options, **fixed})\n": ""},
    ),
    *planted(
        "nn/_selectors.py",
        "nn/test_families.py::test_as_selector[test_mambaout]",
        {"        if self.channels_last:": "        if False:"},
    ),
    *planted(
        "nn/_selectors.py",
        "nn/test_families.py::test_what_a_transformer_selects_from_is_normalized",
        {"partial(getter, norm=True)": "partial(getter, norm=False)"},
    ),
    *planted(
        "nn/_backbones.py",
        "nn/test_families.py::test_a_file_without_some_of_a_transformer_is_refused",
        {'wrappers = {"FeatureGetterNet": "model.", ': "wrappers = {"},
    ),
    *planted(
        "nn/_backbones.py",
        "nn/test_weight_files.py::test_what_a_backbone_has_no_use_for_is_not_listed",
        {"    logger.addFilter(_is_worth_saying)\n": ""},
    ),
    *planted(
        "nn/_backbones.py",
        "nn/test_weight_files.py::test_safetensors",
        {"all(k in weights.fitting for k in head)": "False"},
    ),
    *planted(
        "nn/_frozen_prefix.py",
        "nn/test_frozen_prefix.py",
        {
            "torch.cat([without, given])[order]": "torch.cat([without, given])",
            "            module.training = flag": "            pass",
        },
    ),
    *planted(
        "nn/_image_network.py",
        "nn/test_frozen_prefix.py",
        {
            "            images = images.detach()\n": "            pass\n",
            " or not self.frozen_share:": ":",
            "join_rows(super().__call__, joint, images, fixed, known)": "super().__call__(images)",
        },
    ),
    *planted(
        "nn/_frozen.py",
        "nn/test_frozen_prefix.py",
        {"            return heads_of(self.network)[0]": "            return self.network"},
    ),
    *planted(
        "nn/_image_network.py",
        "nn/test_frozen.py",
        {
            "known = part.features_of(images[fixed].detach(), True)": "pass",
            "known = part.features_of(images[fixed]": "known = part.features_of(images[: fixed.sum()]",
            " and self._frozen_part is None:": ":",
            ' and self.fill != "drop":': ":",
        },
    ),
    *planted(
        "nn/_frozen_features.py",
        "nn/test_frozen.py",
        {
            "if not come_again or images": "if images",
            ' or images.device.type != "cpu"': "",
        },
    ),
    *planted(
        "nn/_kept_features.py",
        "nn/test_frozen.py",
        {
            "        if not self.are_of(images):": "        if False:",
            "self._digests or _digests(self._pixels)": "_digests(self._pixels[:1]) * len(images)",
        },
    ),
    *planted(
        "methods/_p2p_objective.py",
        "training/test_kept_features.py::test_another_training_draws_the_same_random_masks",
        {"nobody_chose = torch.ones_like": "nobody_chose = torch.zeros_like"},
    ),
    *planted(
        "methods/_p2p_objective.py",
        "methods/test_p2p_composed.py::test_random_masks_that_come_again_teach_the_head_what_they_did",
        {"masks, is_random)": "masks, None)"},
    ),
    *planted(
        "methods/_p2p_objective.py",
        "methods/test_p2p_composed.py::test_frozen_layers_do_not_change_what_the_others_learn",
        {"step.regions, masks, is_random))": "step.regions, masks, ~is_random))"},
    ),
]
