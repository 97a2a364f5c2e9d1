import pickle

import numpy as np
import pytest
from datasets.small_files import write_image, write_mask

from p2pselect.datasets import DATASETS, load_imagenet9
from p2pselect.exceptions import InputError, UnknownNameError

FOLDERS = [
    "00_dog",
    "01_bird",
    "02_wheeled vehicle",
    "03_reptile",
    "04_carnivore",
    "05_insect",
    "06_musical instrument",
    "07_primate",
    "08_fish",
]


@pytest.fixture
def root(tmp_path):
    """Lists of ImageNet's files for training, and the backgrounds challenge."""
    listed = {"train": [], "val": []}
    for split, files in listed.items():
        for number in range(9):
            names = [f"imagenet/{split}/n{number:08}/{image}.JPEG" for image in range(2)]
            files.append(names)
            for name in names:
                write_image(tmp_path / name, (300, 260), number)
    root = tmp_path / "imagenet9"
    challenge = root / "backgrounds_challenge_data/bg_challenge"
    for number, folder in enumerate(FOLDERS):
        name = f"{folder}/fg_n{number}"
        write_image(challenge / f"original/val/{name}.JPEG", (224, 224), number)
        mask = np.zeros((224, 224), bool)
        mask[: number + 1] = True
        write_mask(challenge / f"fg_mask/val/{name}.npy", mask)
    for split, files in listed.items():
        (root / f"imagenet9_{split}_orig_path.pkl").write_bytes(pickle.dumps(files))
    return root


def test_lists(root):
    train = load_imagenet9(root)
    assert train.target.tolist() == sorted([*range(9)] * 2) and "masks" not in train
    assert train.target_names[[2, 6]].tolist() == ["wheeled vehicle", "musical instrument"]
    assert train.images[4][0, 0].tolist() == [2, 2, 2]
    moved = root.parent.rename(root.parent.parent / "elsewhere")
    again = load_imagenet9(moved / "imagenet9", "val", imagenet=moved / "imagenet")
    assert len(again.images) == 18


def test_folders_go_before_lists(root):
    for folder in FOLDERS:
        write_image(root / "train" / folder / "1.JPEG")
    assert load_imagenet9(root).target.tolist() == [*range(9)]


def test_masks(root):
    test = load_imagenet9(root, "test")
    assert [mask.sum() // 224 for mask in test.masks] == [*range(1, 10)]
    assert [image[0, 0, 0] for image in test.images] == [*range(9)]


def test_the_paper_uses_test_images_as_they_are(root):
    data = DATASETS["imagenet9"]
    assert data.is_present(root.parent)
    assert data.load(root.parent, "test").images[0].shape == (224, 224, 3)
    assert data.load(root.parent, "val").images[0].shape == (224, 224, 3)
    assert data.load(root.parent, "train").images[0].shape == (300, 260, 3)


def test_trees_that_do_not_fit(root, tmp_path):
    with pytest.raises(UnknownNameError, match="no split 'dev'"):
        load_imagenet9(root, "dev")
    with pytest.raises(InputError, match="lacks train or imagenet9_train_orig_path.pkl"):
        load_imagenet9(tmp_path)
    (root.parent / "imagenet/train/n00000003/1.JPEG").unlink()
    with pytest.raises(InputError, match=r"1 of 18 images .* first is .*n00000003/1.JPEG"):
        load_imagenet9(root)
    for wrong in ([["a"]], {"a": 1}, [[1]] * 9):
        (root / "imagenet9_train_orig_path.pkl").write_bytes(pickle.dumps(wrong))
        with pytest.raises(InputError, match="expected nine lists of files"):
            load_imagenet9(root)
    (root / "imagenet9_train_orig_path.pkl").write_bytes(pickle.dumps(print))
    with pytest.raises(InputError, match="lists of text: it asks for builtins.print"):
        load_imagenet9(root)
    mask = next((root / "backgrounds_challenge_data").rglob("*.npy"))
    mask.unlink()
    with pytest.raises(InputError, match="1 of 9 images have no mask"):
        load_imagenet9(root, "test")
    write_image(root / "val" / "00_dog" / "1.JPEG")
    with pytest.raises(InputError, match="expected nine folders, 00_dog to 08_fish"):
        load_imagenet9(root, "val")
