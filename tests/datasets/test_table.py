import pickle

import numpy as np
import pytest
from PIL import Image

from p2pselect.datasets import (
    DATASETS,
    Dataset,
    load_emoji_scenes,
    make_digit_scenes,
    table_dataset,
)
from p2pselect.exceptions import InputError


def test_generated_sets_are_always_there():
    for name in ("digit_scenes", "digit_scenes_scene"):
        assert DATASETS[name].is_present(None) and DATASETS[name].is_present("nowhere")


def test_digit_scenes():
    data = DATASETS["digit_scenes"].load(None, "test", 3)
    same = make_digit_scenes(1000, split="test", random_state=3)
    np.testing.assert_array_equal(data.images, same.images)
    with pytest.raises(InputError, match="split must be"):
        DATASETS["digit_scenes"].load(None, "tset", 0)


def test_masks_of_scenes_are_the_ground():
    scenes = DATASETS["digit_scenes_scene"].load(None, "test", 3)
    objects = DATASETS["digit_scenes"].load(None, "test", 3)
    np.testing.assert_array_equal(scenes.masks, ~objects.masks)
    assert scenes.target_names[scenes.target].tolist() == objects.scenes.tolist()


def test_sets_that_are_not_there(tmp_path):
    emoji = DATASETS["emoji_object"]
    assert not emoji.is_present(tmp_path) and not emoji.is_present(None)
    with pytest.raises(InputError, match=r"emoji_scenes lacks labels.csv; expected\n"):
        emoji.load(tmp_path, "train", 0)
    with pytest.raises(InputError, match=r"root is None; expected below root:\n  emoji"):
        emoji.load()


def test_emoji(emoji_scenes):
    root = emoji_scenes.parent
    assert DATASETS["emoji_object"].is_present(root)
    objects = DATASETS["emoji_object"].load(root, "test", 0)
    scenes = DATASETS["emoji_scene"].load(root, "test", 0)
    same = load_emoji_scenes(emoji_scenes, "test", target="scene")
    assert scenes.target.tolist() == same.target.tolist()
    np.testing.assert_array_equal(scenes.masks, ~objects.masks)


def test_a_set_of_ones_own(tmp_path):
    own = Dataset(_load, folder="mine", tree="readme.txt", needs=("readme.txt",))
    assert not own.is_present(tmp_path)
    (tmp_path / "mine").mkdir()
    assert not own.is_present(tmp_path)
    (tmp_path / "mine" / "readme.txt").touch()
    data = own.load(str(tmp_path), "train", 7)
    assert data.target == [(str(tmp_path / "mine"), "train", 7)]
    assert data.masks is None


@pytest.fixture
def leaves(tmp_path):
    """A folder of three leaves, of which only one has spots and only two were outlined."""
    folder = tmp_path / "leaves"
    folder.mkdir()
    lines = [
        "image,label,split,spots,outline",
        "0.png,rust,train,,",
        "1.png,miner,train,,m1.png",
        "2.png,rust,test,m2.png,m3.png",
    ]
    (folder / "labels.csv").write_text("\n".join(lines))
    for number in range(4):
        Image.new("RGB", (6, 4), (50 * number,) * 3).save(folder / f"{number}.png")
        mask = Image.new("L", (6, 4))
        mask.paste(255, (0, 0, number, 1))
        mask.save(folder / f"m{number}.png")
    return tmp_path


def test_a_table_as_a_set(leaves):
    named = table_dataset("leaves", mask_column="spots", other_masks={"leaf": "outline"})
    assert named.is_present(leaves)
    assert pickle.loads(pickle.dumps(named)) == named and hash(named)
    test, train = (named.load(leaves, split, 0) for split in ("test", "train"))
    # The test images show only one of the classes.
    assert test.target_names.tolist() == train.target_names.tolist() == ["miner", "rust"]
    assert test.target.tolist() == [1] and train.target.tolist() == [1, 0]
    assert test.images[0][0, 0, 0] == 100
    assert [int(mask.sum()) for mask in test.masks] == [2]
    assert [int(mask.sum()) for mask in test.other_masks["leaf"]] == [3]
    assert train.masks is None
    assert [int(mask.sum()) for mask in train.other_masks["leaf"]] == [0, 1]


def test_a_table_without_masks_of_other_things(leaves):
    data = table_dataset("leaves").load(leaves, "test", 0)
    assert data.masks is None and data.other_masks == {}
    spots = table_dataset("leaves", other_masks={"spots": "spots"})
    assert spots.load(leaves, "train", 0).other_masks == {}, "the column has none for them"


def test_a_table_that_is_not_there(tmp_path):
    named = table_dataset("leaves", mask_column="spots", other_masks={"leaf": "outline"})
    assert not named.is_present(tmp_path)
    with pytest.raises(InputError, match=r"(?s)expected.*image,label,split,spots,outline"):
        named.load(tmp_path, "test", 0)


def _load(folder, split, random_state):
    return {"images": [], "target": [(str(folder), split, random_state)]}


@pytest.mark.parametrize("name", DATASETS)
def test_workers_can_be_sent_them(name):
    again = pickle.loads(pickle.dumps(DATASETS[name]))
    assert again == DATASETS[name] and hash(again) == hash(DATASETS[name])


@pytest.mark.parametrize("name", DATASETS)
def test_their_trees_say_what_is_needed(name):
    data = DATASETS[name]
    for needed in data.needs:
        first = needed.partition("|")[0]
        assert first.rpartition("/")[2] in str(data)
