"""Sets of photographs: parts, groups, masks."""

import numpy as np
import pytest
from benchmarks.fake_sets import SIZE, write_set
from photograph_sets import load_split, train_and_measured

from p2pselect import datasets


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("set"))


def test_every_split_of_test_images_is_measured(photographs):
    train, measured = train_and_measured(photographs, "test", seed=0)
    assert len(train) == 20
    assert {name: len(part) for name, part in measured.items()} == {"test": 8, "test_more": 8}
    assert train.names[0] == "blue/0.png" and train.labels[0] == "blue"


def test_validation_holds_out_a_fifth_of_the_training_images(photographs):
    train, measured = train_and_measured(photographs, "validation", seed=0)
    (held_out,) = measured.values()
    everything = load_split(photographs, "train").names
    assert sorted([*train.names, *held_out.names]) == sorted(everything)
    assert np.unique(held_out.labels, return_counts=True)[1].tolist() == [2, 2]
    assert not {*train.groups} & {*held_out.groups}, "near duplicates on both sides"
    assert {image.shape for image in held_out.images} == {(*SIZE, 3)}


def test_the_seed_decides_what_is_held_out(photographs):
    held_out = [
        train_and_measured(photographs, "validation", seed)[1]["validation"].names
        for seed in (0, 0, 1)
    ]
    assert held_out[0] == held_out[1] != held_out[2]


def test_without_a_table_no_image_belongs_to_another(photographs, tmp_path):
    (tmp_path / "train").symlink_to(photographs / "train")
    assert len(set(load_split(tmp_path, "train").groups)) == 20


def test_masks_by_kind_with_the_rows_that_have_one(photographs):
    part = load_split(photographs, "test")
    found = {kind: (rows.tolist(), masks) for kind, rows, masks in part.object_masks()}
    assert found["left_masks"][0] == list(range(8))
    assert found["left_masks"][1].mean() == 0.5
    rows, masks = found["masks"]
    assert rows == [1, 2, 3, 5, 6, 7], "the first of each class has none"
    assert masks.shape == (6, *SIZE) and (masks.sum(axis=(1, 2)) == 100).all()


def test_masks_of_some_images_are_those_of_these_images(photographs):
    part = load_split(photographs, "test")
    whole = {kind: masks for kind, _, masks in part.object_masks()}["masks"]
    some = {kind: (rows, m) for kind, rows, m in part[np.array([5, 0, 2])].object_masks()}
    rows, masks = some["masks"]
    assert rows.tolist() == [0, 2]
    np.testing.assert_array_equal(masks, whole[[3, 1]])


def test_a_part_as_a_folder_holds_its_images_by_class(photographs):
    train, _ = train_and_measured(photographs, "validation", seed=0)
    with train.as_folder() as folder:
        images, labels = datasets.load_image_folder(folder)
        assert labels.tolist() == train.labels.tolist()
        np.testing.assert_array_equal(images[3], train.images[3])
    assert not folder.exists()
