import itertools
import json

import numpy as np
import pytest
from datasets.small_files import write_image
from scipy.ndimage import binary_dilation, binary_erosion
from skimage.draw import polygon2mask

from p2pselect.datasets import COCO10_CLASSES, DATASETS, load_coco10, max_min_classes
from p2pselect.exceptions import InputError, UnknownNameError

NAMES = [*COCO10_CLASSES, "bowl", "dining table"]
SIZE = (40, 60)  # height, width


def runs(mask):
    """Uncompressed runs: down the columns, beginning with what is not the object."""
    flat = mask.T.ravel()
    counts = [len(list(same)) for _, same in itertools.groupby(flat)]
    return {"counts": [0, *counts] if flat[0] else counts, "size": list(mask.shape)}


def box(x, y, w, h):
    return [[x, y, x + w, y, x + w, y + h, x, y + h]]


class Coco:
    def __init__(self, root):
        self.root = root
        self.content = {
            "info": {},
            "licenses": [],
            "images": [],
            "annotations": [],
            "categories": [{"id": 3 * n + 1, "name": name} for n, name in enumerate(NAMES)],
        }

    def add(self, number, *shown, size=SIZE):
        """An image, and what it shows: (name, segmentation) each."""
        name = f"{number:012}.jpg"
        write_image(self.root / "images/train2017" / name, size)
        self.content["images"].append(
            {"id": number, "file_name": name, "height": size[0], "width": size[1]}
        )
        for thing, segmentation in shown:
            annotation = {
                "id": len(self.content["annotations"]),
                "image_id": number,
                "category_id": 3 * NAMES.index(thing) + 1,
                "segmentation": segmentation,
                "iscrowd": int(isinstance(segmentation, dict)),
            }
            self.content["annotations"].append(annotation)
        return self

    def write(self):
        file = self.root / "annotations/instances_train2017.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(self.content))
        return file


def middle(name):
    return (name, box(20, 10, 20, 20))


@pytest.fixture
def coco(tmp_path):
    made = Coco(tmp_path / "coco")
    number = 100
    for name in COCO10_CLASSES:
        for _ in range(4):
            made.add(number, middle(name))
            number += 1
    made.write()
    return made


def test_splits(coco):
    train = load_coco10(coco.root, n_train=3)
    test = load_coco10(coco.root, "test", n_train=3)
    assert train.target_names.tolist() == list(COCO10_CLASSES) == sorted(COCO10_CLASSES)
    np.testing.assert_array_equal(np.bincount(train.target), [3] * 10)
    np.testing.assert_array_equal(np.bincount(test.target), [1] * 10)
    assert not set(train.images.files) & set(test.images.files)
    assert train.images.files[0].endswith("000000000100.jpg")
    assert train.images[0].shape == (*SIZE, 3) and train.masks[0].shape == SIZE


def test_images_that_show_two_of_the_classes_are_left_out(coco):
    coco.add(1, middle("cat"), middle("dog")).add(2, middle("cat"), middle("bowl")).write()
    train = load_coco10(coco.root, n_train=3)
    cats = train.images.files[train.target == COCO10_CLASSES.index("cat")]
    # The bowl is none of the ten.
    assert [file[-7:] for file in cats] == ["002.jpg", "108.jpg", "109.jpg"]
    assert not any(file.endswith("001.jpg") for file in train.images.files)


def test_masks_hold_every_object_of_the_class_and_no_other(coco):
    crowd = np.zeros(SIZE, bool)
    crowd[30:, 40:] = True
    triangle = [[2.0, 2.0, 22.0, 2.0, 2.0, 22.0]]
    shown = [("cat", triangle), ("cat", runs(crowd)), ("bowl", box(40, 0, 10, 10))]
    coco.add(1, *shown).write()
    data = load_coco10(coco.root, n_train=1)
    mask = data.masks[int(np.flatnonzero(data.target == 2)[0])]
    np.testing.assert_array_equal(mask[30:, 40:], True)
    corners = np.array(triangle).reshape(-1, 2)[:, ::-1]
    expected = polygon2mask(SIZE, corners) | crowd
    # Whether the outline belongs to a polygon is a matter of taste.
    assert not (binary_erosion(expected, np.ones((3, 3))) & ~mask).any()
    assert not (mask & ~binary_dilation(expected, np.ones((3, 3)))).any()
    assert mask[5, 5] and not mask[20, 20] and not mask[5, 45]


def test_compressed_runs(coco):
    from pycocotools import mask as coco_mask

    full = np.zeros(SIZE, np.uint8, order="F")
    full[3:9, 7:50] = 1
    code = coco_mask.encode(full)
    coco.add(1, ("cat", {**code, "counts": code["counts"].decode()})).write()
    data = load_coco10(coco.root, n_train=1)
    mask = data.masks[int(np.flatnonzero(data.target == 2)[0])]
    np.testing.assert_array_equal(mask, full.astype(bool))


def test_test_images_show_enough_of_the_object_and_of_the_rest(coco):
    # The middle square of 40 x 60 pixels leaves 10 columns out on each side, and more.
    coco.add(200, ("cat", box(0, 0, 5, 40)))  # beside the middle
    coco.add(201, ("cat", box(0, 0, 60, 40)))  # everything
    coco.add(202, ("cat", box(25, 10, 12, 12))).write()
    test = load_coco10(coco.root, "test", n_train=4, classes=["cat"])
    assert [file[-7:] for file in test.images.files] == ["202.jpg"]


def test_the_paper_cuts_the_middle(coco):
    for number, name in enumerate(COCO10_CLASSES):
        for more in range(1000):
            # 1,000 training images that are never read need no files.
            image = {"id": 10_000 * (number + 1) + more, "file_name": f"{more}.jpg"}
            coco.content["images"].append({**image, "height": 40, "width": 60})
            annotation = {"image_id": image["id"], "segmentation": box(20, 10, 20, 20)}
            category = 3 * NAMES.index(name) + 1
            coco.content["annotations"].append({**annotation, "category_id": category})
    coco.write()
    test = DATASETS["coco10"].load(coco.root.parent, "test")
    mask = np.asarray(test.masks[[0]])
    assert mask.shape == (1, 224, 224) and 0.2 < mask.mean() < 0.4


def test_the_greedy_choice(tmp_path):
    rng = np.random.default_rng(0)
    for trial in range(20):
        coco = Coco(tmp_path / str(trial))
        coco.content["images"] = []
        for number in range(60):
            shown = rng.choice(len(NAMES), rng.integers(1, 4), replace=False)
            coco.content["annotations"] += [
                {"image_id": number, "category_id": 3 * int(code) + 1} for code in shown
            ]
        assert max_min_classes(coco.write(), 5, 9) == slow_choice(coco.content, 5, 9)


def slow_choice(content, n_classes, n_candidates):
    names = {category["id"]: category["name"] for category in content["categories"]}
    shown = {}
    for annotation in content["annotations"]:
        image = annotation["image_id"]
        shown.setdefault(image, set()).add(names[annotation["category_id"]])
    frequency = {name: sum(name in seen for seen in shown.values()) for name in NAMES}
    kept = sorted(NAMES, key=lambda name: (-frequency[name], name))[:n_candidates]
    while len(kept) > n_classes:
        alone = {}
        for name in kept:
            others = set(kept) - {name}
            alone[name] = sum(name in s and not s & others for s in shown.values())
        fewest = min(alone.values())
        kept.remove(max(name for name in kept if alone[name] == fewest))
    return sorted(kept)


def test_trees_that_do_not_fit(coco, tmp_path):
    with pytest.raises(InputError, match=r"lacks annotations/instances_train2017.json, images"):
        load_coco10(tmp_path)
    with pytest.raises(UnknownNameError, match="no split 'val'"):
        load_coco10(coco.root, "val")
    with pytest.raises(InputError, match="has no category unicorn"):
        load_coco10(coco.root, classes=["cat", "unicorn"])
    with pytest.raises(InputError, match=r"4 images show 'bed' .*, too few for the split"):
        load_coco10(coco.root, "test")
    file = coco.root / "annotations/instances_train2017.json"
    file.write_text("{}")
    with pytest.raises(InputError, match="no images, annotations, categories"):
        load_coco10(coco.root)
    file.write_text("{")
    with pytest.raises(InputError, match="instances_train2017.json cannot be read"):
        load_coco10(coco.root)
