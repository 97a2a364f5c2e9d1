import pickle

import numpy as np
import pytest

from p2pselect.datasets import DATASETS, Dataset, load_emoji_scenes, make_digit_scenes
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
