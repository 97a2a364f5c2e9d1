"""Faults of what is written and printed: models, reports, the commands."""

from mutants.fault import planted

FAULTS = [
    *planted(
        "_model_folder.py",
        "persistence/test_persistence.py persistence/test_strangers.py",
        {
            'if sha256(weights) != config["weights_sha256"]:': "if False:",
            'if config.get("config_sha256") != config_digest(config):': "if False:",
            'if config["format"] != FORMAT:': "if False:",
            "if file.resolve().parent != path.resolve():": "if False:",
        },
    ),
    *planted(
        "estimators/_saving.py",
        "persistence/test_persistence.py persistence/test_strangers.py",
        {
            'if config["class"] != cls.__name__:': "if False:",
            "    kept = _portable(estimator, params)": "    kept = params",
            "estimator._validate_params()": "pass",
            "estimator.set_params(**{name: _FOR_THE_NEXT_FIT[name] for name in later})": "pass",
        },
    ),
    *planted(
        "_model_folder.py",
        "persistence/test_identity.py::test_values persistence/test_identity.py::test_objects "
        "persistence/test_identity.py::test_tags_that_lie",
        {
            'return items if isinstance(value, list) else {"tuple": items}': "return items",
            'return dict(items) if plain else {"dict": items}': "return dict(items)",
            "return found if is_optimizer else None": "return found",
            "return dtype.type(value)": "return value",
        },
    ),
    *planted(
        "persistence.py",
        "persistence/test_hub.py",
        {
            "            allow_patterns=list(FILES),\n": "",
            "local_dir=new, allow_patterns=list(FILES)": "local_dir=new",
            "                shutil.rmtree(extra)": "                pass",
            "            with readable(new):\n                read_config(new)": "            pass",
            'said = " ".join(str(error).split())': "said = str(error)",
        },
    ),
    *planted(
        "_model_card.py",
        "persistence/test_model_card.py",
        {
            "return before + own + after if begin and end else old": "return own",
            "if begin and end else old": "if begin else old",
            "row = min(of_phase, key": "row = max(of_phase, key",
            'of_phase = [r for r in rows if r.get("phase") == row.get("phase") and': "of_phase = [r for r in rows if",
            "_images(found, name),\n": "_images(found, str),\n",
        },
    ),
    *planted(
        "atomic_write.py",
        "persistence/test_persistence.py test_atomic_write.py",
        {
            "        if not (path / files[0]).is_file():": "        if False:",
            "        if others:": "        if False:",
            "beside.unlink(missing_ok=True)": "pass",
            'beside = path.with_name(f".{token_hex(8)}.part")': "beside = path",
            "return content if math.isfinite(content) else None": "return content",
            "if path.exists() and not os.access(path, os.W_OK):": "if False:",
        },
    ),
    *planted(
        "explanations/report/_payload.py",
        "explanations/test_payload.py",
        {
            "~one.region_masks[0][ranked]": "one.region_masks[0][ranked]",
            "np.diff(starts, append=flat.size)": "np.diff(starts, append=0)",
            "_LONGEST_RUN = 1 << 15": "_LONGEST_RUN = 1 << 16",
            "ensure_ascii=False, allow_nan=False": "ensure_ascii=False",
            "np.flatnonzero(np.isfinite(proba).all(axis=1))": "np.arange(len(proba))",
            "total / np.bincount(group, minlength=n_groups)": "total",
            "127 * embedding / np.where(length > 0, length, 1)": "127 * embedding",
            "ranking(one.proba[0])": "ranking(-one.proba[0])",
        },
    ),
    *planted(
        "explanations/report/_template.py",
        "explanations/test_html.py",
        {
            '"TITLE": escape(title)': '"TITLE": title',
            '.replace("<", "\\\\u003c")': "",
        },
    ),
    *planted(
        "explanations/report/_page.py",
        "explanations/test_html.py",
        {
            'item["truth"] = codes[i]': 'item["truth"] = 0',
            "room = max(max_images, int(is_wrong.sum()))": "room = max_images",
            "(is_wrong, ~is_wrong & ~answered, ~is_wrong & answered)": "(is_wrong, ~is_wrong & answered, ~is_wrong & ~answered)",
            "np.linspace(0, len(rows) - 1, count)": "np.linspace(0, count - 1, count)",
            "    check_writable_file(path)\n": "",
        },
    ),
    *planted(
        "explanations/figures/_photographs.py",
        "explanations/test_photographs.py",
        {
            "self.box.of(out)[...] = inside": "out[: len(inside), : inside.shape[1]] = inside",
            "        if self.is_sharp:\n": "        if False:\n",
            "np.arange(picture.cells.max() + 1) == region": "np.arange(picture.cells.max() + 1) == 0",
            "winner if values is None else values[winner]": "winner if values is None else values[around[0]]",
            "in ((1, 0), (0, 1), (1, 1)):": "in ((1, 0), (0, 1)):",
            "np.full((1, *values.shape[1:]), elsewhere, values.dtype)": "values[:1]",
            "self._lay(self.content.of(values), None, elsewhere)": "self._lay(values, None, elsewhere)",
            "if pixels.shape[:2] != bounded(place.original, longest):": "if False:",
            'if one.resize != "stretch":': "if True:",
            "for a in (1 - down[y], down[y])": "for a in (down[y], 1 - down[y])",
            "times = max(\n        1.0,": "times = min(\n        1.0,",
        },
    ),
    *planted(
        "explanations/figures/_plots.py",
        "explanations/test_photographs.py",
        {
            "outline = picture.lay(object_masks[i], False)": "outline = np.ones(picture.labels.shape, bool)",
            "if picture.is_sharp:": "if False:",
        },
    ),
    *planted(
        "explanations/report/_payload.py",
        "explanations/test_payload.py",
        {
            "255 * (1 - bright": "255 * (0 + bright",
            "np.full(len(order) + 1, n_groups, np.uint16)": "np.zeros(len(order) + 1, np.uint16)",
            '"png", transparency=1)': '"png", transparency=0)',
        },
    ),
    *planted(
        "explanations/report/_page.py",
        "explanations/test_html.py",
        {
            "(_MOST_SHARP / len(chosen)) ** 0.5": "_MOST_SHARP / len(chosen)",
            '"packed": packed(detail_payload(one, picture))': "**detail_payload(one, picture)",
        },
    ),
    *planted(
        "explanations/report/_payload.py",
        "explanations/test_html.py::test_two_thousand_photographs_have_room_in_forty_megabytes",
        {"_QUALITY = 75": "_QUALITY = 82"},
    ),
    *planted(
        "explanations/report/_curves.py",
        "explanations/test_curves.py",
        {
            "and math.isfinite(value)": "",
            "max(y, before + _LINE)": "y",
            "(highest - value) / span": "(value - lowest) / span",
        },
    ),
    *[
        fault
        for file, changes in (
            (
                "picture.js",
                {
                    "if (around[j] === around[i]) sum": "sum",
                    "let at = (top + y) * width + left;": "let at = y * width;",
                    "at + code(count + i)": "at + code(count + i) + 1",
                    "const levels = [...opacity, 0];": "const levels = [...opacity, 255];",
                    "0, 0, columns, rows);": "0, 0, columns / 2, rows);",
                },
            ),
            ("gallery.js", {', pictureOf(item, item.shade, "")': ""}),
        )
        for fault in planted(
            f"explanations/report/{file}", "browser/test_photographs.py", changes
        )
    ],
    *planted(
        "explanations/report/_page.py",
        "explanations/test_summary.py",
        {'escape(str(row["class"]))': 'str(row["class"])'},
    ),
    *planted(
        "explanations/figures/_words.py",
        "explanations/test_html.py::test_the_figures_at_the_top",
        {
            "explanation._right(truth)": "explanation.answered",
            "explanation.answered, explanation.kept_fraction, right": "explanation.answered, explanation.certainty, right",
            "if not isnan(found[key])": "",
        },
    ),
    *planted(
        "explanations/figures/_words.py",
        "explanations/test_words.py::test_a_calibrated_certainty_is_one_on_average",
        {'"" if explanation.stop_certainty is None else " on average"': '""'},
    ),
    *planted(
        "explanations/report/_show.py",
        "explanations/test_show.py",
        {
            'hasattr(ipython.get_ipython(), "kernel")': "True",
            "if not webbrowser.open(page.as_uri()):": "if webbrowser.open(page.as_uri()):",
        },
    ),
    *planted(
        "explanations/report/_audit.py",
        "explanations/test_audit_section.py",
        {
            'signed=row == "gap"': "signed=False",
            "{_MEANING[found": "{'' and _MEANING[found",
            "{words(low)} to {words(high)}": "{words(low)} to {words(value)}",
        },
    ),
    *planted(
        "explanations/report/_reliability.py",
        "explanations/test_html.py::test_what_the_certainty_is_worth",
        {
            "_TOP + _SIDE * (1 - share)": "_TOP + _SIDE * share",
            "{percent(floor)}": "{percent(error)}",
            "if truth is None:": "if False:",
        },
    ),
    *planted(
        "explanations/figures/_threshold_display.py",
        "explanations/test_displays.py",
        {
            '"search__fallback", "everything"': '"search__fallback", "most_certain"',
            '{"fallback": own, **options}': "options",
            '_explained = {"whole_path": True}': "pass",
        },
    ),
    *planted(
        "explanations/figures/_image_displays.py",
        "explanations/test_displays.py",
        {
            "one.enough": "one.certainty_threshold",
        },
    ),
    *planted(
        "cli/_predict.py",
        "cli/test_numbers.py",
        {
            'row if row["answered"] else {': "{",
            "said = _said(rows, None if labels is None else label_cells(labels, model.classes_))": 'said = ""',
        },
    ),
    *planted(
        "cli/_files.py",
        "cli/test_folder.py",
        {
            "part if part is None else part[readable]": "part if part is None else part[: readable.sum()]",
        },
    ),
    *planted(
        "cli/_outputs.py",
        "cli/test_outputs.py",
        {
            "sharing[_alike(stem)] == 1": "True",
            'unicodedata.normalize("NFC", name).casefold()': "name",
            "if os.path.realpath(file) in read:": "if False:",
        },
    ),
    *planted(
        "cli/_predict.py",
        "cli/test_numbers.py",
        {
            "round(float(certainty[i]), 6)": "1 - round(float(certainty[i]), 6)",
            '"prediction": predicted[i]': '"prediction": names[0]',
            "round(float(kept[i]), 6)": "round(float(kept[0]), 6)",
            "files[start + i]": "files[i]",
        },
    ),
    *planted(
        "cli/_explain.py",
        "cli/test_numbers.py",
        {
            'mask.astype("uint8") * 255': '(~mask).astype("uint8") * 255',
            '"answered": bool(exp.answered[i])': '"answered": True',
        },
    ),
    *planted(
        "cli/_evaluate.py",
        "cli/test_numbers.py",
        {
            "answer_figures(exp.answered, exp.kept_fraction, correct)": "answer_figures(exp.answered, exp.kept_fraction, ~correct)",
            "metrics.insertion_fidelity_curve(": "metrics.deletion_fidelity_curve(",
        },
    ),
    *planted(
        "cli/_files.py",
        "cli/test_numbers.py",
        {"folder, found.images, model": "folder, found.images[::-1], model"},
    ),
    *planted(
        "cli/_entrypoint.py",
        "cli/test_folder.py",
        {
            "return 1\n": "return 0\n",
        },
    ),
    *planted(
        "cli/_arguments.py",
        "cli/test_max_pixels.py::test_the_limit_can_be_raised",
        {
            "Image.MAX_IMAGE_PIXELS = value": "pass",
        },
    ),
    *planted(
        "exceptions.py",
        "test_exceptions.py::test_brief_is_one_short_line",
        {
            "shortener.maxstring = shortener.maxother = _LONGEST": 'return " ".join(repr(value).split())',
        },
    ),
    *planted(
        "atomic_write.py",
        "test_atomic_write.py::test_a_file_is_replaced_in_one_step_or_not_at_all",
        {
            "beside.replace(path)": "path.write_bytes(beside.read_bytes()[:3])",
        },
    ),
    *planted(
        "atomic_write.py",
        "test_atomic_write.py::test_an_interrupt_between_two_renames_brings_the_old_folder_back",
        {
            "if old.exists() and not path.exists():": "if False:",
        },
    ),
    *planted(
        "cli/_fit_places.py",
        "cli/test_places.py::test_fit_replaces_a_model_only_when_told_to",
        {
            "if out.exists() and not is_empty_folder(out) and not options.overwrite:": "if False:",
        },
    ),
    *planted(
        "cli/_fit.py",
        "cli/test_folder.py::test_an_interrupted_fit_saves_what_it_learned_and_ends_with_130",
        {
            "if clf.interrupted_ and not learned:": "if False:",
        },
    ),
    *planted(
        "cli/_fit.py",
        "cli/test_fit.py",
        {
            "options.classifier or options.backbone": "options.classifier",
            'given | {"validation": options.validation}': 'given | {"validation": options.validation or "auto"}',
            "    print(chosen, flush=True)\n": "",
            '{**presets.PAPER["coco10"], **given}': "given",
        },
    ),
    *planted(
        "estimators/_base.py",
        "estimators/test_masks.py::test_a_model_that_goes_on_says_that_masks_have_taught_it",
        {", n_masks_seen=self.n_masks_seen_)": ")"},
    ),
    *planted(
        "cli/_corrections.py",
        "cli/test_corrections.py",
        {
            "rest = held_out & ~corrected": "rest = held_out",
            "corrected = np.isin(found.groups, found.groups[corrected])": "pass",
            "warm_start=True": "warm_start=False",
        },
    ),
    *planted(
        "datasets/_corrections.py",
        "datasets/test_corrections.py",
        {
            "^= True": "|= True",
            "y * shape[0] / size[0] - 0.5": "y * shape[0] / size[0]",
            "if one.size not in (None, sizes[row]):": "if False:",
            "if _share_an_end(parts, own)": "",
        },
    ),
    *planted(
        "cli/_fit_places.py",
        "cli/test_fit.py",
        {
            "html = options.html or out.with_name": "html = options.html or Path('p').with_name",
            "if html.exists() and not (options.html or options.overwrite):": "if False:",
            "if options.backbone and (options.selector or options.classifier):": "if False:",
        },
    ),
    *planted(
        "cli/_arguments.py",
        "cli/test_arguments.py",
        {
            "if not 0 < number < 1:": "if not 0 <= number < 1:",
            "if len(sides) not in (1, 2) or": "if",
        },
    ),
    *planted(
        "cli/_trained.py",
        "cli/test_fit.py",
        {
            "images, labels = images[rows], labels[rows]": "images, labels = images[: len(rows)], labels[: len(rows)]",
            "held_out = len(rows) > 0": "held_out = True",
        },
    ),
    *planted(
        "cli/_entrypoint.py",
        "cli/test_arguments.py::test_what_a_command_does_not_know_is_named_with_where_its_options_are",
        {"refuse=command.error": "refuse=parser.error"},
    ),
    *planted(
        "cli/_trained.py",
        "cli/test_fit.py::test_what_is_measured_is_said_before_it_takes_its_time",
        {', end="", flush=True)': ', end="")'},
    ),
    *planted(
        "cli/_trained.py",
        "cli/test_folder.py::test_fit_says_when_its_model_is_useless",
        {
            "right <= most": "right > most",
        },
    ),
    *planted(
        "cli/_entrypoint.py",
        "cli/test_folder.py::test_an_interrupted_fit_saves_what_it_learned_and_ends_with_130",
        {
            "return 130": "return 0",
        },
    ),
    *planted(
        "cli/_entrypoint.py",
        "cli/test_places.py::test_names_are_written_in_utf8_whatever_the_encoding",
        {
            'reconfigure(encoding="utf-8", errors=errors)': "pass",
        },
    ),
    *planted(
        "cli/_arguments.py",
        "cli/test_arguments.py::test_ranges_are_those_of_the_estimators",
        {
            "number: 0 < number <= 1,": "number: 0 <= number,",
        },
    ),
    *planted(
        "cli/_explain.py",
        "cli/test_folder.py::test_explain_writes_page_figures_and_masks",
        {
            "exp.to_html(options.html, y=labels, names=short_names(files), history=history)": "exp.to_html(options.html, names=short_names(files), history=history)",
            "(mask,) = exp.masks_at_original_size()": "(mask,) = exp.pixel_masks",
        },
    ),
    *planted(
        "explanations/report/_payload.py",
        "explanations/test_html.py::test_the_work_grows_with_the_number_of_images_not_with_its_square",
        {
            '"kept": round(float(one.kept_fraction[0]), 6)': '"kept": round(float(explanation.kept_fraction[image]), 6)',
        },
    ),
    *planted(
        "cli/_files.py",
        "cli/test_folder.py::test_a_missing_mask_costs_its_own_score_alone",
        {
            'missing="skip"': 'missing="raise"',
        },
    ),
    *planted(
        "cli/_files.py",
        "cli/test_folder.py::test_damaged_files_of_classes",
        {
            "    if lost:\n": "    if False:\n",
        },
    ),
    *planted(
        "cli/_outputs.py",
        "cli/test_outputs.py::test_folders_are_mirrored_and_endings_kept_where_names_meet",
        {
            "            if _alike(file) not in taken:\n": "            if file not in taken:\n",
            "    own = [os.path.relpath(image, base) for image in images]\n": "    own = [os.path.basename(image) for image in images]\n",
        },
    ),
    *planted(
        "atomic_write.py",
        "test_atomic_write.py::test_what_is_of_another_kind_is_never_touched",
        {
            "    return path.is_dir() and not any(path.iterdir())\n": "    return path.is_dir()\n",
        },
    ),
    *planted(
        "cli/_files.py",
        "cli/test_numbers.py",
        {"set_params(certainty_threshold=certainty)": "set_params()"},
    ),
    *planted(
        "explanations/_exports.py",
        "explanations/test_exports.py",
        {
            "label(mask, connectivity=1)": "label(mask, connectivity=2)",
            "has_holes = piece.area_filled > piece.area": "has_holes = False",
            "middles = middles[:-1] - 0.5": "middles = middles[:-1] - 1",
            'whole.ravel(order="F")': "whole.ravel()",
        },
    ),
    *planted(
        "explanations/figures/_photographs.py",
        "cli/test_photographs.py::test_overlays_are_the_photographs_dimmed_where_nothing_is_kept",
        {
            "longest=int(max(sizes))": "longest=LONGEST",
            "shown = DIMMED + (1 - DIMMED) * ": "shown = ",
        },
    ),
    *planted(
        "explanations/figures/_photographs.py",
        "explanations/test_exports.py::test_an_overlay_is_as_large_as_the_photograph",
        {"longest=int(max(sizes))": "longest=LONGEST"},
    ),
    *planted(
        "estimators/_saving.py",
        "persistence/test_strangers.py::test_what_no_training_has_seen",
        {
            "not 1 <= n_channels <= MAX_CHANNELS": "False",
            "and array[1].min() > 0": "",
            "    check_value_range(found)\n": "",
            "isinstance(found, str) or len(found) not in (1, n_channels)": "False",
            "        and len(part) == n_classes\n": "",
            "        and all(type(n) is int and n >= 0 for n in part)\n": "",
        },
    ),
    *planted(
        "cli/_tables.py",
        "cli/test_tables.py",
        {
            "            action.required = False\n": "            pass\n",
            "self.split or (self.usual if self.table.splits else None)": "self.split",
        },
    ),
    *planted(
        "cli/_fit.py",
        "cli/test_tables.py::test_fit_is_told_the_groups",
        {
            "groups=found.groups": "groups=None",
            'place.of_split("validation")': 'place.of_split("test")',
        },
    ),
]
