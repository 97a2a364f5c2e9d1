"""Faults of what answers elsewhere: of an exported model, and of the app under many requests."""

from mutants.fault import planted

FAULTS = [
    *planted(
        "cli/_regions.py",
        "cli/test_stored.py::test_regions_of_channels_are_drawn_on_those_that_are_shown",
        {", options.display_channels)": ")"},
    ),
    *planted(
        "cli/_app.py",
        "cli/test_tables.py::test_the_app_shows_the_test_rows",
        {"true_labels_of(model, files, stated) if": "true_labels_of(model, files) if"},
    ),
    *planted(
        "app/_marks.py",
        "app/test_corrections.py",
        {
            "if one.image != image] + found": "] + found",
            "if any(one.image != image for one in found):": "if False:",
        },
    ),
    *planted(
        "explanations/report/corrections.js",
        "browser/test_corrections.py",
        {
            "Math.floor(at / wide) * height / rows": "Math.floor(at / wide) * height / columns",
            "if (!isIn(x, y + 1)) edge(x + 1, y + 1, -1, 0);": "if (!isIn(x, y + 1)) edge(x, y + 1, 1, 0);",
            "if (keep) keep(item);": "",
        },
    ),
    *planted(
        "explanations/report/_confusion.py",
        "browser/test_confusion.py::test_every_number_shows_the_images_that_it_counts",
        {"counts[true][said] += 1": "counts[said][true] += 1"},
    ),
    *planted(
        "explanations/report/_confusion.py",
        "browser/test_confusion.py::test_of_several_labels_every_row_has_four_outcomes",
        {
            'codes = f"{true}{column}", f"{said}{column}"': 'codes = f"{said}{column}", f"{true}{column}"',
            'if any("-" in answers for answers in counts.values()):': "if False:",
        },
    ),
    *planted(
        "explanations/report/gallery.js",
        "browser/test_confusion.py::test_every_number_shows_the_images_that_it_counts",
        {'  byId("filters").reset();\n': ""},
    ),
    *planted(
        "explanations/report/gallery.js",
        "browser/test_confusion.py::test_numbers_of_a_sample_count_all_images_and_every_error_is_there",
        {"numbers.map(({ dataset }) => dataset[side])": "[]"},
    ),
    *planted(
        "explanations/report/gallery.js",
        "browser/test_confusion.py::test_the_whole_way_with_the_keyboard",
        {"    chosen?.focus();\n": ""},
    ),
    *planted(
        "runtime.py",
        "test_runtime.py",
        {
            "np.where(areas > 0, means[:, 0], np.float32(-np.inf))": "means[:, 0]",
            'values["threshold"] = np.inf': 'values["threshold"] = 0.0',
            "masks, self.rule.fill)": 'masks, "black")',
            "kind=LABEL_SET if settings": "kind=ONE_CLASS if settings",
        },
    ),
    *planted(
        "onnx_export.py",
        "test_runtime.py",
        {
            "        network(images)\n": "        pass\n",
            "estimator.calibration_.asked(threshold)": "threshold",
            "report.threshold if np.isfinite(report.threshold) else None": "threshold",
        },
    ),
    *planted(
        "runtime.py",
        "test_runtime.py::test_one_label_alone",
        {
            "slice(target, target + 1)": "slice(n_masks)",
            "rule.kind.about(target, self.classes_)), None": "rule.kind.about(target, self.classes_)), report",
            "self._threshold if report is None else self._asked": "self._threshold",
        },
    ),
    *planted(
        "app/_worker.py",
        "app/test_batches.py",
        {
            "for one in batch if len(batch) > 1 else []:": "for one in []:",
            "return _taken(self._urgent, self._batch_size)": "return _taken(self._urgent, 1)",
            "min(_UNHURRIED, self._batch_size)": "self._batch_size",
            "if not self._urgent:": "if self._others:",
            "while self._urgent or not self._stopped:": "while not self._stopped:",
            "if future.set_running_or_notify_cancel()": "",
        },
    ),
    *planted(
        "app/_guard.py",
        "app/test_guard.py",
        {
            "return host.lower() in self._names": "return True",
            "if origin is not None and": "if False and",
            "MutableHeaders(scope=message).update(_HEADERS)": "pass",
        },
    ),
    *planted(
        "app/_uploads.py",
        "app/test_programs.py",
        {
            "if size > max_bytes:": "if False:",
            "file.unlink(missing_ok=True)": "pass",
        },
    ),
    *planted(
        "app/_service.py",
        "app/test_programs.py app/test_folder.py",
        {
            '.removeprefix(f"{file}: ").replace(str(file), "the image")': "",
            "len(text) < 10 and int(text) < limit": "int(text) <= limit",
            "            self._worker.stop()": "            pass",
        },
    ),
]
