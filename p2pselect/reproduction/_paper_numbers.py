"""The numbers that the paper prints, in per cent, as printed.

Vandenhirtz & Vogt, "From Pixels to Perception", ICML 2025: tables 1 to 6, ten seeds.
"""

from __future__ import annotations

from typing import NamedTuple


class PaperNumber(NamedTuple):
    """A number of the paper.

    Attributes
    ----------
    mean : float
        In per cent.
    sd : float or None
        Standard deviation over ten seeds; None where the paper gives none.
    table : int
        Where it stands.
    """

    mean: float
    sd: float | None
    table: int

    def __str__(self) -> str:
        return f"{self.mean:.2f}" + ("" if self.sd is None else f" ± {self.sd:.2f}")


_Numbers = dict[str, dict[str, tuple[float, float]]]

_ACCURACY_1: _Numbers = {
    "cifar10": {
        "blackbox": (95.79, 0.28),
        "blackbox_pixel": (94.56, 0.33),
        "comet1": (95.07, 0.49),
        "diet": (55.97, 13.94),
        "rbaem": (78.04, 23.44),
        "realx": (90.44, 0.21),
        "bcos": (93.80, 0.18),
        "comet": (94.35, 0.49),
        "p2p": (94.45, 0.29),
    },
    "coco10": {
        "blackbox": (89.36, 0.64),
        "blackbox_pixel": (86.79, 0.81),
        "comet1": (87.98, 0.49),
        "diet": (27.38, 2.41),
        "rbaem": (72.96, 3.03),
        "realx": (83.98, 1.05),
        "bcos": (84.54, 0.73),
        "comet": (88.43, 0.71),
        "p2p": (89.53, 0.89),
    },
    "imagenet": {
        "blackbox": (71.22, 0.15),
        "blackbox_pixel": (70.66, 0.14),
        "comet1": (69.70, 0.06),
        "diet": (5.08, 0.88),
        "rbaem": (57.76, 1.65),
        "realx": (69.08, 0.25),
        "bcos": (58.34, 0.14),
        "comet": (70.90, 0.21),
        "p2p": (68.70, 0.19),
    },
    "imagenet9": {
        "blackbox": (94.45, 0.42),
        "blackbox_pixel": (93.89, 0.50),
        "comet1": (94.27, 0.54),
        "diet": (30.62, 3.99),
        "rbaem": (81.67, 2.12),
        "realx": (89.31, 0.73),
        "bcos": (92.18, 0.21),
        "comet": (94.12, 0.44),
        "p2p": (94.42, 0.30),
    },
}
_LOCALIZATION_2: _Numbers = {
    "coco10": {
        "random": (25.47, 0.01),
        "comet1": (22.69, 1.66),
        "diet": (26.24, 0.51),
        "rbaem": (24.58, 3.76),
        "realx": (33.28, 1.59),
        "bcos": (34.57, 0.44),
        "comet": (36.43, 1.70),
        "p2p": (47.01, 1.16),
    },
    "imagenet9": {
        "random": (38.52, 0.01),
        "comet1": (24.23, 3.59),
        "diet": (38.54, 1.46),
        "rbaem": (32.52, 1.96),
        "realx": (56.13, 2.80),
        "bcos": (53.26, 0.50),
        "comet": (63.73, 2.00),
        "p2p": (69.25, 1.06),
    },
}
_ACCURACY_3: _Numbers = {
    "bam_object": {
        "blackbox": (89.55, 0.48),
        "blackbox_pixel": (87.56, 0.54),
        "comet1": (89.58, 0.34),
        "diet": (31.27, 14.46),
        "rbaem": (75.93, 1.87),
        "realx": (82.62, 0.84),
        "bcos": (86.47, 0.18),
        "comet": (89.33, 0.47),
        "p2p": (88.92, 0.50),
    },
    "bam_scene": {
        "blackbox": (93.12, 0.27),
        "blackbox_pixel": (92.18, 0.42),
        "comet1": (92.07, 0.47),
        "diet": (55.79, 20.41),
        "rbaem": (80.03, 1.37),
        "realx": (85.49, 1.02),
        "bcos": (91.67, 0.39),
        "comet": (90.94, 0.74),
        "p2p": (91.93, 0.45),
    },
}
_LOCALIZATION_3: _Numbers = {
    "bam_object": {
        "blackbox": (22.94, 0.00),
        "blackbox_pixel": (22.94, 0.00),
        "comet1": (28.32, 10.98),
        "diet": (37.78, 11.36),
        "rbaem": (18.68, 1.71),
        "realx": (71.19, 1.52),
        "bcos": (48.23, 0.72),
        "comet": (82.88, 0.32),
        "p2p": (83.02, 0.75),
    },
    "bam_scene": {
        "blackbox": (77.06, 0.00),
        "blackbox_pixel": (77.06, 0.00),
        "comet1": (77.85, 10.56),
        "diet": (76.63, 16.98),
        "rbaem": (82.02, 0.93),
        "realx": (95.15, 1.32),
        "bcos": (92.99, 0.19),
        "comet": (98.49, 0.63),
        "p2p": (98.18, 0.27),
    },
}
#: By data set: delta in per cent, accuracy, localization, expected kept fraction.
_SWEEP_4: dict[str, list[tuple[int, float, float | None, float]]] = {
    "bam_object": [
        (80, 84.82, 92.23, 10.16),
        (90, 86.70, 90.30, 12.31),
        (95, 87.83, 88.13, 14.69),
        (99, 88.92, 83.02, 20.19),
    ],
    "bam_scene": [
        (80, 85.18, 99.45, 12.19),
        (90, 88.23, 99.25, 14.77),
        (95, 90.08, 98.97, 17.42),
        (99, 91.93, 98.18, 23.46),
    ],
    "cifar10": [
        (80, 85.66, None, 13.20),
        (90, 89.69, None, 15.56),
        (95, 92.05, None, 17.97),
        (99, 94.45, None, 23.51),
    ],
    "coco10": [
        (80, 82.91, 54.99, 21.44),
        (90, 86.61, 52.91, 26.51),
        (95, 88.15, 51.19, 31.26),
        (99, 89.53, 47.01, 41.71),
    ],
    "imagenet": [
        (80, 68.70, None, 48.31),
        (90, 69.82, None, 56.85),
        (95, 70.12, None, 63.04),
        (99, 70.23, None, 72.99),
    ],
    "imagenet9": [
        (80, 87.13, 77.97, 15.22),
        (90, 91.02, 75.77, 18.91),
        (95, 92.79, 73.73, 22.42),
        (99, 94.42, 69.25, 30.19),
    ],
}
#: Accuracy and localization of P2P on watershed regions.
_WATERSHED_5 = {"imagenet9": (93.95, 67.70), "coco10": (90.05, 46.95)}
_INFOMASK_6 = {"imagenet9": (94.69, 38.55), "coco10": (89.20, 26.02)}

_Key = tuple[str, str, str, str]


def _collect() -> dict[_Key, PaperNumber]:
    found: dict[_Key, PaperNumber] = {}
    for table, metric, numbers in (
        (1, "accuracy", _ACCURACY_1),
        (2, "localization", _LOCALIZATION_2),
        (3, "accuracy", _ACCURACY_3),
        (3, "localization", _LOCALIZATION_3),
    ):
        for dataset, methods in numbers.items():
            for method, (mean, sd) in methods.items():
                found[dataset, method, "default", metric] = PaperNumber(mean, sd, table)
    for dataset, lines in _SWEEP_4.items():
        for delta, accuracy, localization, kept in lines:
            for metric, value in (
                ("accuracy", accuracy),
                ("localization", localization),
                ("expected_kept_fraction", kept),
            ):
                if value is not None:
                    key = dataset, "p2p", f"delta={delta:03d}", metric
                    found[key] = PaperNumber(value, None, 4)
    for table, method, setting, both in (
        (5, "p2p", "watershed", _WATERSHED_5),
        (6, "infomask", "default", _INFOMASK_6),
    ):
        for dataset, values in both.items():
            for metric, value in zip(("accuracy", "localization"), values, strict=True):
                found[dataset, method, setting, metric] = PaperNumber(value, None, table)
    return found


#: By data set, method ("random" is the random row), setting and metric.
PAPER_NUMBERS: dict[_Key, PaperNumber] = _collect()
