"""Planted faults between photographs and the grid of a model, and in what is padding."""

from mutants.fault import planted

FAULTS = [
    *planted(
        "regions/_connectivity.py",
        "regions/test_compiled.py::test_without_numba_the_labels_are_the_same",
        {"a += int(colors[y, x, 1])": "a += colors[y, x, 1]"},
    ),
    *planted(
        "images/_geometry.py",
        "images/test_geometry.py",
        {
            "(outer.height - height) // 2": "0",
            "return (2 * numerator + denominator) // (2 * denominator)": (
                "return numerator // denominator"
            ),
            "source = self.source.scaled(self.original, size)": "source = self.source",
            "out = np.full(self.grid, fill, values.dtype)\n        self.content.of(out)[...] = "
            "resize_nearest": (
                "out = np.full(self.grid, 0, values.dtype)\n        self.content.of(out)[...] = "
                "resize_nearest"
            ),
        },
    ),
    *planted(
        "nn/_masking.py",
        "methods/test_padding.py::test_padding[p2p]",
        {
            "values = F.pad(values, (1, 0), value=outside)": "values = F.pad(values, (1, 0), value=1)"
        },
    ),
    *planted(
        "selection/_selection_rule.py",
        "estimators/test_geometry.py::test_budgets_are_shares_of_the_pixels_in_regions",
        {"pixels = used[:, -1:].astype(float)": "pixels = used.max().astype(float)"},
    ),
    *planted(
        "images/_geometry.py",
        "estimators/test_geometry.py::test_views_of_training_are_black_where_no_region_is",
        {"images[regions < 0] = 0": "pass"},
    ),
    *planted(
        "metrics/_object_masks.py",
        "metrics/test_object_masks.py::test_a_mask_lies_where_its_photograph_lies",
        {
            "else placement.onto_grid(mask, 0)": "else resize_nearest(mask, shape)",
        },
    ),
    *planted(
        "metrics/_explained.py",
        "estimators/test_geometry.py::test_object_masks_of_photographs",
        {"return None if inside.all() else inside": "return None"},
    ),
    *planted(
        "_explanation_arrays.py",
        "methods/test_padding.py::test_padding[p2p]",
        {"np.zeros((n, 1), values.dtype)": "np.ones((n, 1), values.dtype)"},
    ),
]
