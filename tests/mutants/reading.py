"""Faults of what is read: image files, folders, data sets and their masks."""

from mutants.fault import planted

FAULTS = [
    *planted(
        "images/_decode.py",
        "images/test_reading.py",
        {
            "Image.open(file, formats=_formats())": "Image.open(file)",
            "image.draft(None, (width // 2, height // 2))": "pass",
            "    _warn_of_frames(image, name, warned)\n": "",
        },
    ),
    *planted(
        "images/_decode.py",
        "images/test_reading.py",
        {
            "bare.getexif()[_ORIENTATION] = orientation": "bare.getexif()[_ORIENTATION] = 3",
            'image.convert("RGBA")))': 'image.convert("RGB")))',
            "values * 65535 // ((1 << bits) - 1)": "values",
            "values = 65535 - values": "pass",
            "if extra > 1 or": "if False and",
            "if low < high and high - low < _NARROW:": "if False:",
            "if kind in warned:": "if False:",
        },
    ),
    *planted(
        "images/_pixels.py",
        "images/test_pixels.py",
        {
            "(2 * np.arange(new) + 1) * old": "(2 * np.arange(new)) * old",
            "(product + 127) // 255": "product // 255",
            "return color * alpha": "return color",
            "Image.Resampling.BILINEAR))": "Image.Resampling.NEAREST))",
        },
    ),
    *planted(
        "images/_pixels.py",
        "images/test_accept.py",
        {
            "if not (np.isfinite(darkest) and np.isfinite(brightest)):": "if False:",
            "if not has_range and (low < -_ROUNDING or high > 1 + _ROUNDING):": "if False:",
            "{first_index + start + int": "{int",
        },
    ),
    *planted(
        "images/_sources.py",
        "images/test_accept.py",
        {"np.clip(values, 0, 1, dtype=": "np.clip(values, -1, 2, dtype="},
    ),
    *planted(
        "images/_sequence.py",
        "images/test_sequence.py",
        {
            "np.where(chosen < 0, chosen + n_images, chosen)": "np.abs(chosen)",
            "chosen if self._index is None else self._index[chosen]": "chosen",
            "if len(chosen) != n_images:": "if False:",
        },
    ),
    *planted(
        "images/_sources.py",
        "images/test_sequence.py",
        {"if error is not None:": "if False:"},
    ),
    *planted(
        "images/_stored.py",
        "images/test_dicom.py",
        {
            "return 1 - shades if low_is_white else shades": "return shades",
            "apply_modality_lut(ends, stated).sum() - values.astype(np.float64)": "values",
            "[data[own][frame]] if": "[data[own][0]] if",
            "places += data[shared].value if shared in data else []": "pass",
            "apply_color_lut(indices, data)": "np.stack([indices] * 3, axis=2)",
            'or not window.get("WindowWidth")': "",
            "    if windowed:\n        raise ValueError(f": "    if False:\n        raise ValueError(f",
        },
    ),
    *planted(
        "images/_meaning.py",
        "estimators/test_channels.py",
        {
            "elif 0 < span < _LITTLE:": "elif 0 < span < _LITTLE / 2:",
            "most = 1 if images.is_float else 255": "most = 1",
        },
    ),
    *planted(
        "images/_folders.py",
        "images/test_folders.py",
        {
            'name.startswith(".") or': "False or",
            "if identity in around:": "if False:",
            "parts[1::2] = map(int, parts[1::2])": "pass",
            "entry.name.lower().endswith(wanted)": "entry.name.endswith(wanted)",
            "listing.dangling.append(own)": "pass",
        },
    ),
    *planted(
        "_labels.py",
        "test_labels.py",
        {
            "number.get(label, -1)": "number.get(label, 0)",
            "if other is not label:": "if False:",
            "_refuse_missing(np.isnan(array), array, name)": "pass",
            "if meant is not None:": "if False:",
            "if is_text.any() and not is_text.all():": "if False:",
        },
    ),
    *planted(
        "datasets/_masks.py",
        "datasets/test_masks.py",
        {
            "return ~mask if self.inverted else mask": "return mask",
            "inverted=not self.inverted": "inverted=True",
            "self._index[key], inverted": "self._index[: len(key)], inverted",
        },
    ),
    *planted(
        "datasets/_image_folder.py",
        "datasets/test_image_folder.py",
        {
            "if all(_ABOVE_CLASSES.fullmatch(name) for": "if False and all(name for",
            "if plain and repeated and plain <= set(repeated):": "if False:",
            "if empty:": "if False:",
            "if loose:\n        remarks": "if False:\n        remarks",
            "labels.append(sys.intern(name))": "labels.append(file.rpartition(os.sep)[0])",
        },
    ),
    *planted(
        "datasets/_image_folder.py",
        "datasets/test_imagenet.py",
        {"np.searchsorted(names, labels), np": "np.unique(labels, return_inverse=True)[1], np"},
    ),
    *planted(
        "datasets/_mask_folder.py",
        "datasets/test_mask_folder.py",
        {
            "if grid is None and own != shape:": "if False:",
            "        masks[row] = mask": "        masks[row - 1] = mask",
        },
    ),
    *planted(
        "datasets/_mask_folder.py",
        "datasets/test_mask_folder.py",
        {
            "if len(found) > 1:": "if False:",
            "if os.path.abspath(path) not in are_images:": "if True:",
            "range(min(deepest, len(parts)), -1, -1)": "range(0, min(deepest, len(parts)) + 1)",
        },
    ),
    *planted(
        "datasets/_mask_folder.py",
        "datasets/test_mask_pictures.py::test_swapped_sides_are_refused",
        {"if turned or mask ==": "if mask =="},
    ),
    *planted(
        "datasets/_mask_pictures.py",
        "datasets/test_mask_pictures.py",
        {
            "if as_labels else picture.values >= WHITE": "if as_labels else picture.values > 0",
            "and _may_be_void(used):": "and False:",
            "if (numbers == _VOID).any() and": "if False and",
            "if len(colors) > _MOST_COLORS:": "if False:",
            "as_labels = picture.coding ==": "as_labels = False and picture.coding ==",
        },
    ),
    *planted(
        "datasets/_digit_scenes.py",
        "datasets/test_digit_scenes.py",
        {
            "photograph[:, middle:] if": "photograph[:, :middle] if",
            "% 3 == 2) == (split": "% 3 == 2) <= (split",
            "masks[i] = np.maximum(stroke, halo) > 0.5": "masks[i] = stroke > 0.5",
            'objects if target == "object" else scenes': "objects",
        },
    ),
    *planted(
        "datasets/_crops.py",
        "datasets/test_crops.py",
        {
            "round((length - self.side) / 2)": "0 * round((length - self.side) / 2)",
            "MaskSequence(masks, crop.mask)": "masks",
        },
    ),
    *planted(
        "datasets/_coco10.py",
        "datasets/test_coco10.py",
        {
            "if len(of_image) == 1:": "if of_image:",
            "0.05 <= _CROP.mask": "0.0 <= _CROP.mask",
            "if name in classes:": "if True:",
        },
    ),
    *planted(
        "datasets/_tar_shards.py",
        "datasets/test_tar_shards.py",
        {
            "_label(sample.labels[kind], kind,": "_label(b'0', kind,",
            "whole = all(": "whole = False and all(",
        },
    ),
    *planted(
        "datasets/_imagenet9.py",
        "datasets/test_imagenet9.py",
        {
            "np.repeat(np.arange(len(by_class)),": "np.tile(np.arange(len(by_class)),",
            'raise pickle.UnpicklingError(f"it asks for {module}.{name}")': "return super().find_class(module, name)",
        },
    ),
    *planted(
        "datasets/_cifar10.py",
        "datasets/test_cifar10.py",
        {"if not check_integrity(": "if check_integrity("},
    ),
    *planted(
        "images/_torch_datasets.py",
        "images/test_accept.py::test_random_transforms_are_refused",
        {
            "if not np.array_equal(image, self.read_one(position)):": "if False:",
        },
    ),
    *planted(
        "images/_accept.py",
        "images/test_accept.py::test_what_is_not_read_is_said",
        {
            "images.sizes()": "pass",
        },
    ),
    *planted(
        "images/_accept.py",
        "images/test_reading.py::test_narrow_values_in_16_bits_are_said_once",
        {
            "X.reset_warnings()": "pass",
        },
    ),
    *planted(
        "images/_torch_datasets.py",
        "images/test_accept.py::test_targets_that_the_data_set_transforms_are_not_taken",
        {
            'getattr(dataset, "target_transform", None) is None': "True",
        },
    ),
    *planted(
        "images/_torch_datasets.py",
        "images/test_accept.py::test_labels_of_a_data_set",
        {
            "return [inner[int(index)] for index in dataset.indices]": "return inner[: len(dataset)]",
        },
    ),
    *planted(
        "images/_sequence.py",
        "images/test_accept.py::test_items_that_differ_or_change_are_named",
        {
            "if image.ndim != 3 or image.shape[2] != self.n_channels or": "if False and",
        },
    ),
    *planted(
        "images/_sources.py",
        "images/test_accept.py::test_open_files_are_where_they_were",
        {
            "item.seek(before)": "pass",
        },
    ),
    *planted(
        "images/_pixels.py",
        "images/test_accept.py::test_bad_input",
        {
            "elif 128 < high <= 255:": "elif 1 < high <= 255:",
        },
    ),
    *planted(
        "images/_decode.py",
        "images/test_reading.py::test_narrow_values_in_16_bits_are_said_once",
        {
            'wide = any(";16" in str(tile) for tile in getattr(image, "tile", []))': "wide = False",
        },
    ),
    *planted(
        "images/_decode.py",
        "images/test_reading.py::test_16_bits_with_white_as_zero_and_with_a_transparent_value",
        {
            "gray[np.asarray(image) == transparent] = 0": "pass",
        },
    ),
    *planted(
        "images/_decode.py",
        "images/test_reading.py::test_planes_of_16_bits_are_not_misread",
        {
            "if bands > 1 and tags.get(_PLANES) == 2 and max(tags.get(_BITS, (8,))) > 8:": "if False:",
        },
    ),
    *planted(
        "images/_decode.py",
        "images/test_reading.py::test_previews_are_not_frames",
        {
            "if smaller:": "if False:",
        },
    ),
    *planted(
        "images/_decode.py",
        "images/test_sequence.py::test_sizes_of_files_are_upright_and_read_no_pixels",
        {
            "return size[::-1] if _orientation(image) >= 5 else size": "return size",
        },
    ),
    *planted(
        "images/_decode.py",
        "images/test_reading.py::test_photographs_beyond_the_limit_are_decoded_smaller",
        {
            "if start.startswith(_JPEG):": "if False:",
        },
    ),
    *planted(
        "datasets/_mask_folder.py",
        "datasets/test_mask_pictures.py::test_missing_masks_can_be_left_out",
        {
            "if not any(paths):": "if False:",
        },
    ),
    *planted(
        "datasets/_mask_pictures.py",
        "datasets/test_mask_pictures.py::test_what_may_not_be_the_object_is_refused",
        {
            "if black and any(colors.get(0, (0,))):": "if False:",
        },
    ),
    *planted(
        "datasets/_mask_pictures.py",
        "datasets/test_mask_pictures.py::test_noise_of_jpeg_is_not_the_object",
        {
            'lossy = image.format in ("JPEG", "MPO")': "lossy = False",
        },
    ),
    *planted(
        "datasets/_mask_pictures.py",
        "datasets/test_mask_pictures.py::test_a_black_mask_with_noise_has_no_object",
        {
            "if 0 < top < WHITE:": "if False:",
        },
    ),
    *planted(
        "datasets/_mask_pictures.py",
        "datasets/test_mask_pictures.py::test_several_labels_are_said",
        {
            "if len(used) > 1:": "if False:",
        },
    ),
    *planted(
        "_labels.py",
        "test_labels.py::test_truth_may_hold_classes_that_are_not_known",
        {
            "target = encode_labels(labels, classes)\n    if (target < 0).any():": "target = encode_labels(labels, classes)\n    if False:",
        },
    ),
    *planted(
        "_labels.py",
        "test_labels.py::test_classes_that_look_the_same",
        {
            "other = seen.setdefault(_appearance(label), label)": "other = seen.setdefault(label, label)",
        },
    ),
    *planted(
        "images/_decode.py",
        "images/test_sequence.py::test_damage_of_a_jpeg_is_looked_for_at_its_smallest_size",
        {"image.draft(None, bounded(whole, longest))": "pass"},
    ),
    *planted(
        "images/_decode.py",
        "images/test_sequence.py::test_thumbnails_stand_upright_and_show_the_whole_image",
        {"size = upright_size(image)": "size = image.size[::-1]"},
    ),
    *planted(
        "images/_sequence.py",
        "images/test_sequence.py",
        {
            "return resize(self._as_seen(self._checked(image, position)), bounded(size, longest))": "return self._as_seen(self._checked(image, position))",
            "bounded(size, longest))": "size)",
        },
    ),
    *planted(
        "images/_meaning.py",
        "images/test_meaning.py",
        {
            "np.clip(out, 0, 1, out=out)": "out",
            "np.percentile(values, PERCENTILES, axis=0)": "np.repeat(np.percentile(values, PERCENTILES)[:, None], 9, 1)[:, : values.shape[1]]",
        },
    ),
    *planted(
        "estimators/_fitting.py",
        "estimators/test_channels.py",
        {
            "value_range = self.value_range_": "pass",
        },
    ),
    *planted(
        "explanations/figures/_pixels.py",
        "estimators/test_channels.py::test_pictures_show_the_channels_that_were_chosen",
        {
            "white = 255 if images.dtype == np.uint8 else 1": "white = 255",
            "np.array([number for number, _ in pairs])": "np.array([0 for _ in pairs])",
        },
    ),
    *planted(
        "estimators/_shared_settings.py",
        "estimators/test_channels.py",
        {"network.normalize_by(*self.normalization_)": "pass"},
    ),
    *planted(
        "_labels.py",
        "test_labels.py::test_classes_in_another_spelling",
        {
            "spelled = {_appearance(label, str.casefold): label for": "spelled = {label: label for",
        },
    ),
    *planted(
        "images/_folders.py",
        "images/test_folders.py::test_links_that_lead_nowhere_are_named",
        {
            'elif is_image and kind in ("file", "dangling"):': 'elif is_image and kind == "file":',
        },
    ),
    *planted(
        "images/_folders.py",
        "images/test_stored.py::test_a_file_per_channel",
        {"if first in os.path.basename(path)]": "if True]"},
    ),
    *planted(
        "images/_folders.py",
        "images/test_accept.py::test_a_folder_is_all_images_below_it_in_natural_order",
        {"    warn_left_out(listing)\n    return found": "    return found"},
    ),
    *planted(
        "estimators/_inputs.py",
        "estimators/test_bad_input.py::test_a_folder_has_no_labels",
        {"    if is_folder(X):\n": "    if False:\n"},
    ),
    *planted(
        "images/_folders.py",
        "datasets/test_image_folder.py::test_all_below_a_class_belongs_to_it",
        {
            "        waiting += [(own, around) for own in reversed(deeper)]\n": "        waiting += [(own, around) for own in reversed(deeper) if not folder]\n",
        },
    ),
    *planted(
        "images/_decode.py",
        "images/test_folders.py::test_endings_are_those_that_can_be_decoded",
        {
            '    known = {*_formats(), "MPO"}\n': "    known = {*_formats()}\n",
        },
    ),
    *planted(
        "datasets/_image_folder.py",
        "datasets/test_image_folder.py::test_folders_above_or_below_the_classes",
        {
            "        len(classes) > 1 or any(inside.values())\n": "        len(classes) > 1\n",
        },
    ),
    *planted(
        "datasets/_image_folder.py",
        "datasets/test_image_folder.py::test_what_looks_like_a_mistake_is_said",
        {
            "    if extensions is None:\n        warn_left_out(listing)\n": "",
        },
    ),
    *planted(
        "datasets/_mask_folder.py",
        "datasets/test_mask_folder.py::test_masks_that_could_belong_to_two",
        {
            "if mask is not None and owners.setdefault(mask, place) != place:": "if False:",
        },
    ),
    *planted(
        "images/_sources.py",
        "images/test_sequence.py::test_readable_says_which",
        {
            "positions[start : start + _BLOCK]": "positions[:_BLOCK]",
        },
    ),
    *planted(
        "images/_sources.py",
        "images/test_sequence.py::test_damage_in_what_is_not_a_file_is_found",
        {
            "if not source.can_fail:": "if True:",
        },
    ),
    *planted(
        "datasets/_tar_shards.py",
        "datasets/test_tar_shards.py::test_shards_that_do_not_fit",
        {
            "        if sample.image is None and sample.dotted is not None:\n": "        if False:\n",
            "                    if ending in sample.labels:\n": "                    if False:\n",
        },
    ),
    *planted(
        "datasets/_tar_shards.py",
        "datasets/test_tar_shards.py::test_labels_as_people_write_them",
        {
            '_LABELS = ("cls", "txt", "json")': '_LABELS = ("json", "txt", "cls")',
        },
    ),
    *planted(
        "datasets/_tar_shards.py",
        "datasets/test_tar_shards.py::test_members_as_people_name_them",
        {
            'first, _, ending = name.name.partition(".")': 'first, _, ending = name.name.rpartition(".")',
        },
    ),
    *planted(
        "datasets/_image_table.py",
        "datasets/test_image_table.py",
        {
            'lines.setdefault(os.path.normpath(self._place("path", row)), line) != line': "False",
            "if split is None and self.splits:": "if False:",
            "if group and first != split:": "if False:",
            "if own == wanted]": "if own == split]",
            "{self._lines[rows[0]]}": "{rows[0]}",
            "not os.path.isfile(file)": "False",
        },
    ),
    *planted(
        "datasets/_mask_files.py",
        "datasets/test_image_table.py",
        {
            "[file], self._has_white)": "[file])",
            "if kind not in self._said:": "if True:",
            "self.grid.place((height, width))": "self.grid.place(own[::-1])",
        },
    ),
    *planted(
        "datasets/_csv_rows.py",
        "datasets/test_image_table.py",
        {"utf-8-sig": "utf-8", "if len(row) != len(header):": "if False:"},
    ),
]
