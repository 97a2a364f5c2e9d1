"""Faults of what is read and written: models, data sets, image files, reports, commands."""

from mutants.fault import planted

FAULTS = [
    *planted(
        "persistence.py",
        "persistence/test_persistence.py",
        {
            'if _sha256(file) != config["weights_sha256"]:': "if False:",
            'if config.get("config_sha256") != _config_digest(config):': "if False:",
            'params = config["params"] | {k: v for k, v in _FORGOTTEN.items() if k in own}': (
                'params = config["params"]'
            ),
            "if expected is not None and not issubclass(cls, expected):": "if False:",
            'if not 1 <= config["format"] <= FORMAT:': "if False:",
            "return SuperpixelTransformer(**value[_TRANSFORMER])": (
                "return SuperpixelTransformer()"
            ),
            "estimator._validate_params()": "pass",
        },
    ),
    *planted(
        "whole_files.py",
        "persistence/test_persistence.py test_whole_files.py",
        {
            "not (path.is_dir() and (path / sign).is_file())": "not path.is_dir()",
            "beside.unlink(missing_ok=True)": "pass",
            'beside = path.with_name(f".{token_hex(8)}.part")': "beside = path",
            "return content if math.isfinite(content) else None": "return content",
            "if path.exists() and not os.access(path, os.W_OK):": "if False:",
        },
    ),
    *planted(
        "images/reading.py",
        "images/test_reading.py",
        {
            "Image.open(file, formats=_formats())": "Image.open(file)",
            "image.draft(None, (width // 2, height // 2))": "pass",
            "remark_on_frames(image, name, told)\n": "pass\n",
        },
    ),
    *planted(
        "images/pillow.py",
        "images/test_reading.py",
        {
            "6: Image.Transpose.ROTATE_270": "6: Image.Transpose.ROTATE_90",
            'image.convert("RGBA")))': 'image.convert("RGB")))',
            "values * 65535 // ((1 << bits) - 1)": "values",
            "values = 65535 - values": "pass",
            "if extra > 1 or": "if False and",
            "if low < high and high - low < _NARROW:": "if False:",
            "if kind in told:": "if False:",
        },
    ),
    *planted(
        "images/pixels.py",
        "images/test_pixels.py",
        {
            "(2 * np.arange(new) + 1) * old": "(2 * np.arange(new)) * old",
            "(product + 127) // 255": "product // 255",
            "return colour * alpha": "return colour",
            "Image.Resampling.BILINEAR))": "Image.Resampling.NEAREST))",
        },
    ),
    *planted(
        "images/checks.py",
        "images/test_accept.py",
        {
            "if not (np.isfinite(darkest) and np.isfinite(brightest)):": "if False:",
            "if low < -_ROUNDING or high > 1 + _ROUNDING:": "if False:",
            "{first_index + start + int": "{int",
        },
    ),
    *planted(
        "images/sources.py",
        "images/test_accept.py",
        {"np.clip(values, 0, 1, dtype=": "np.clip(values, -1, 2, dtype="},
    ),
    *planted(
        "images/sequence.py",
        "images/test_sequence.py",
        {
            "np.where(chosen < 0, chosen + n_images, chosen)": "np.abs(chosen)",
            "chosen if self._index is None else self._index[chosen]": "chosen",
            "[problem is None for problem in problems]": "[True for problem in problems]",
            "if len(chosen) != n_images:": "if False:",
        },
    ),
    *planted(
        "datasets/masks.py",
        "datasets/test_masks.py",
        {
            "return ~mask if self.inverted else mask": "return mask",
            "inverted=not self.inverted": "inverted=True",
            "self._index[key], inverted": "self._index[: len(key)], inverted",
        },
    ),
    *planted(
        "datasets/image_folder.py",
        "datasets/test_image_folder.py",
        {
            'not entry.name.startswith(".") and entry': "entry",
            "np.searchsorted(names, labels), np.array(names)": (
                "np.unique(labels, return_inverse=True)[1], np.array(names)"
            ),
            "return sorted(\n": "return list(\n",
            "if empty:": "if False:",
            "labels += [name] * len(files)": "labels += [name] * bool(files)",
        },
    ),
    *planted(
        "datasets/mask_files.py",
        "datasets/test_mask_files.py",
        {
            "elif mask.shape != shape:": "elif False:",
            'p.stem + ".png") for p in parts]': 'p.stem + ".png") for p in parts[::-1]]',
            'if image.mode.startswith("I"):': "if False:",
        },
    ),
    *planted(
        "datasets/digit_scenes.py",
        "datasets/test_digit_scenes.py",
        {
            "photograph[:, middle:] if": "photograph[:, :middle] if",
            "% 3 == 2) == (split": "% 3 == 2) <= (split",
            "masks[i] = np.maximum(stroke, halo) > 0.5": "masks[i] = stroke > 0.5",
            'objects if target == "object" else scenes': "objects",
        },
    ),
    *planted(
        "datasets/crops.py",
        "datasets/test_crops.py",
        {
            "round((length - self.side) / 2)": "0 * round((length - self.side) / 2)",
            "MaskSequence(data.masks, crop.mask)": "data.masks",
        },
    ),
    *planted(
        "datasets/coco10.py",
        "datasets/test_coco10.py",
        {
            "if len(seen & wanted) == 1": "if seen & wanted",
            "0.05 <= _CROP.mask": "0.0 <= _CROP.mask",
            'and names[annotation["category_id"]] == owner[number]:': ":",
        },
    ),
    *planted(
        "datasets/tar_shards.py",
        "datasets/test_tar_shards.py",
        {
            "alone = sorted(found.keys() ^ said.keys())": "alone = []",
            "labels.append(said[key])": "labels.append(key)",
        },
    ),
    *planted(
        "datasets/imagenet9.py",
        "datasets/test_imagenet9.py",
        {"np.repeat(np.arange(len(by_class)),": "np.tile(np.arange(len(by_class)),"},
    ),
    *planted(
        "report/payload.py",
        "report/test_payload.py",
        {
            "~exp.region_masks[image][ranked]": "exp.region_masks[image][ranked]",
            "cut - 1], axis=1)": "cut], axis=1)",
            "np.round(row, 4).tolist() if np.isfinite(row).all() else None": "None",
            "total / np.bincount(group, minlength=n_groups)": "total",
            "127 * means / np.where(length > 0, length, 1)": "127 * means",
            "np.argsort(-exp.proba[image], kind": "np.argsort(exp.proba[image], kind",
        },
    ),
    *planted(
        "report/html.py",
        "report/test_html.py",
        {
            "TITLE=escape(title)": "TITLE=title",
            '.replace("<", "\\\\u003c")': "",
            "np.mean(exp.predicted == truth)": "np.mean(exp.certainty)",
            'item["truth"] = codes[i]': 'item["truth"] = 0',
            "return np.union1d(wrong, spaced), words": "return spaced, words",
            "np.linspace(0, len(others) - 1, count)": "np.linspace(0, count - 1, count)",
            "    check_file_place(path)\n": "",
        },
    ),
    *planted(
        "report/section.py",
        "report/test_summary.py",
        {'escape(str(row["class"]))': 'str(row["class"])'},
    ),
    *planted(
        "cli/files.py",
        "cli/test_folder.py",
        {
            "return images[readable], labels[readable]": "return images[readable], labels",
            "set_params(certainty_threshold=certainty)": "set_params()",
            "below if f.name.startswith": "below if not f.name.startswith",
        },
    ),
    *planted(
        "cli/outputs.py",
        "cli/test_outputs.py",
        {
            "sharing[_alike(stem)] == 1": "True",
            'unicodedata.normalize("NFC", name).casefold()': "name",
            "if os.path.realpath(file) in read:": "if False:",
        },
    ),
    *planted(
        "cli/predict.py",
        "cli/test_folder.py",
        {
            "round(float(p.max()), 6)": "round(float(p.min()), 6)",
            "names[int(p.argmax())]": "names[0]",
        },
    ),
    *planted(
        "cli/explain.py",
        "cli/test_folder.py",
        {
            "mask.astype(np.uint8) * 255": "(~mask).astype(np.uint8) * 255",
            '"certainty_reached": bool(exp.certainty_reached[i])': '"certainty_reached": True',
        },
    ),
    *planted(
        "cli/evaluate.py",
        "cli/test_folder.py",
        {
            '"accuracy": float(correct.mean())': '"accuracy": float(1 - correct.mean())',
            "metrics.insertion_fidelity_curve(": "metrics.deletion_fidelity_curve(",
            "(options.masks_dir, images,": "(options.masks_dir, images[::-1],",
        },
    ),
    *planted(
        "cli/entrypoint.py",
        "cli/test_folder.py",
        {
            "return 1\n": "return 0\n",
        },
    ),
]
