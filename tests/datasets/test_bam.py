import numpy as np
import pytest
from datasets.small_files import write_image, write_mask

from p2pselect.datasets import DATASETS, load_bam
from p2pselect.exceptions import InputError, UnknownNameError

OBJECTS, SCENES = ("backpack", "stop sign"), ("bamboo_forest", "track")


def build(root, objects=OBJECTS, size=240):
    for thing in objects:
        for scene in SCENES:
            for number, split in ((0, "train"), (1, "train"), (900, "val")):
                name = f"{thing}-{scene}-{number:04}"
                for folder, label in (("obj", thing), ("scene", scene)):
                    data = root / "data" / folder
                    write_image(data / split / label / f"{name}.jpg", (size, size), 10)
                    if split == "val":
                        mask = np.zeros((224, 224), bool)
                        mask[:10, :20] = True
                        write_mask(data / "val_mask" / label / f"{name}.npy", mask)
    return root


def test_objects_and_scenes(tmp_path):
    build(tmp_path)
    train = load_bam(tmp_path)
    assert len(train.images) == 8 and "masks" not in train
    assert train.target_names.tolist() == list(OBJECTS)
    assert train.target.tolist() == [0] * 4 + [1] * 4
    test = load_bam(tmp_path, "test", target="scene")
    assert test.target_names.tolist() == list(SCENES) and test.target.tolist() == [0, 0, 1, 1]
    assert test.masks.shape == (4,) and test.masks[0].sum() == 200


def test_the_paper_cuts_the_middle(tmp_path):
    build(tmp_path / "bam")
    test = DATASETS["bam_scene"].load(tmp_path, "test")
    objects = DATASETS["bam_object"].load(tmp_path, "test")
    assert test.images[0].shape == (224, 224, 3)
    assert objects.masks[0].sum() == 200 and test.masks[0].sum() == 224 * 224 - 200
    assert DATASETS["bam_object"].load(tmp_path, "train").images[0].shape == (240, 240, 3)


def test_sets_with_wrong_stop_signs_are_refused(tmp_path):
    build(tmp_path, ("backpack", "stop_sign"))
    for target in ("object", "scene"):
        with pytest.raises(InputError, match=r"stop_sign-(?s:.*)issues/7"):
            load_bam(tmp_path, target=target)


def test_trees_that_do_not_fit(tmp_path):
    with pytest.raises(InputError, match=r"lacks data/obj/train; (?s:.*)val_mask/backpack"):
        load_bam(tmp_path)
    with pytest.raises(UnknownNameError, match="no split 'val', only train, test"):
        load_bam(tmp_path, "val")
    with pytest.raises(InputError, match='target must be "object" or "scene"'):
        load_bam(tmp_path, target="sky")
    build(tmp_path)
    next((tmp_path / "data/obj/val_mask").rglob("*.npy")).unlink()
    with pytest.raises(InputError, match="1 of 4 images have no mask in"):
        load_bam(tmp_path, "test")
