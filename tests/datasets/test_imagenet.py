import pytest
from datasets.small_files import write_image

from p2pselect.datasets import DATASETS, load_imagenet
from p2pselect.exceptions import InputError

WNIDS = ["n01440764", "n01443537", "n02085620"]


@pytest.fixture
def imagenet(tmp_path):
    for number, wnid in enumerate(WNIDS):
        for image in range(2):
            write_image(tmp_path / f"imagenet/train/{wnid}/{wnid}_{image}.JPEG", (30, 40))
        name = f"imagenet/val/{wnid}/ILSVRC2012_val_{number:08}.JPEG"
        write_image(tmp_path / name, (512, 600))
    return tmp_path / "imagenet"


def test_splits(imagenet):
    train, test = load_imagenet(imagenet), load_imagenet(imagenet, "test")
    assert train.target.tolist() == [0, 0, 1, 1, 2, 2] and test.target.tolist() == [0, 1, 2]
    assert test.wnids.tolist() == test.target_names.tolist() == WNIDS


def test_names(imagenet):
    lines = [f"{wnid} thing {number}, item" for number, wnid in enumerate(WNIDS)]
    (imagenet / "LOC_synset_mapping.txt").write_text("\n".join(lines))
    assert load_imagenet(imagenet).target_names.tolist()[1] == "thing 1, item"
    (imagenet / "LOC_synset_mapping.txt").write_text("\n".join(lines[:2]))
    with pytest.raises(InputError, match="has no name for n02085620"):
        load_imagenet(imagenet)


def test_a_class_without_test_images_keeps_its_number(imagenet):
    for file in (imagenet / "val" / WNIDS[0]).iterdir():
        file.unlink()
    (imagenet / "val" / WNIDS[0]).rmdir()
    assert load_imagenet(imagenet, "test").target.tolist() == [1, 2]


def test_the_paper_cuts_the_middle(imagenet):
    root = imagenet.parent
    assert DATASETS["imagenet"].load(root, "test").images[0].shape == (224, 224, 3)
    assert DATASETS["imagenet"].load(root, "train").images[0].shape == (30, 40, 3)


def test_trees_that_do_not_fit(tmp_path):
    with pytest.raises(InputError, match=r"lacks val; expected(?s:.*)n01440764/\*.JPEG"):
        load_imagenet(tmp_path, "test")
