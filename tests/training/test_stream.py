"""Training from an IterableDataset: the same learning, and errors that name the item."""

import json

import numpy as np
import pytest
import torch
import webdataset
from PIL import Image
from torch.utils.data import IterableDataset, get_worker_info

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.estimators._training_images import Division, read_labeled, training_data
from p2pselect.exceptions import InputError, P2PSelectWarning, TrainingError
from p2pselect.images._geometry import Grid
from p2pselect.methods import DiETClassifier, L2XClassifier
from p2pselect.training import _stream as stream
from p2pselect.training._data import Views
from p2pselect.training._stream import StreamContents, TrainingStream

SCENES = datasets.make_digit_scenes(41, image_size=32, random_state=0)
PAIRS = list(zip(SCENES.images, (SCENES.target % 2).tolist(), strict=True))
SETTINGS = {**presets.SMALL, "image_size": 32, "max_epochs": 1, "batch_size": 8}


class Pairs(IterableDataset):
    """What stands in a list, divided among workers; other things in later epochs."""

    def __init__(self, pairs, later=None, divided=True):
        self.pairs, self.later, self.divided = pairs, later, divided
        self.epochs = []

    def set_epoch(self, epoch):
        self.epochs.append(epoch)
        self.pairs = self.pairs if self.later is None else self.later

    def __iter__(self):
        info = get_worker_info()
        start, step = (
            (0, 1) if info is None or not self.divided else (info.id, info.num_workers)
        )
        yield from self.pairs[start::step]


def make(cls=P2PClassifier, **changes):
    return cls(**presets.settings_for(cls, {**SETTINGS, **changes}), random_state=0)


def grid(images, contents):
    return np.zeros(images.shape[:3], np.int32)


def batches(stream, size, epoch=0, augment=None, num_workers=0):
    contents = StreamContents(stream, {"channels": "last"}, num_workers)
    views = Views(grid, Grid((32, 32), "pad"), augment)
    data = TrainingStream(contents, np.array([0, 1]), views, np.ones(2, np.float32), 0)
    data.epoch = epoch
    loading = data.loading(size)
    loader = torch.utils.data.DataLoader(
        data, collate_fn=lambda batch: batch, num_workers=num_workers, **loading
    )
    return data, list(loader)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_every_image_comes_once_and_in_as_many_batches_as_were_counted(num_workers):
    data, found = batches(Pairs(PAIRS), 8, num_workers=num_workers)
    assert len(found) == data.n_batches(8) if num_workers == 0 else 6 <= data.n_batches(8) <= 7
    images = np.concatenate([inputs["images"] for inputs, _ in found])
    # 41 = 5 * 8 + 1: one image is left over, and one by one of two workers, 21 and 20, none.
    assert len(images) == (41 if num_workers else 40)
    first = {image.tobytes() for image, _ in PAIRS}
    assert len({image.tobytes() for image in images}) == len(images)
    assert {image.tobytes() for image in images} <= first
    for inputs, target in found:
        for image, label in zip(inputs["images"], target, strict=True):
            number = next(i for i, (x, _) in enumerate(PAIRS) if (x == image.numpy()).all())
            assert PAIRS[number][1] == label


def test_views_are_the_same_again_and_others_in_the_next_epoch():
    def shown(epoch):
        _, found = batches(Pairs(PAIRS), 8, epoch, "shift+tint")
        return np.concatenate([inputs["images"] for inputs, _ in found])

    assert (shown(0) == shown(0)).all()
    assert (shown(0) != shown(1)).any(axis=(1, 2, 3)).all()


def test_learns_from_a_stream_what_it_learns_from_arrays():
    X, y = SCENES.images, np.array([label for _, label in PAIRS])
    stream = Pairs(PAIRS)
    clf = make(max_epochs=2, training__num_workers=0).fit(stream)
    assert stream.epochs == [0, 1]
    assert clf.classes_.tolist() == [0, 1] and clf.image_shape_in_ == (32, 32)
    assert np.isfinite(clf.history_[:, "train_loss"]).all()
    assert clf.predict_proba(X).shape == (41, 2)
    # One batch of everything, in the same order: the same step.
    whole = {"max_epochs": 1, "batch_size": 41, "augment": None, "objective__warmup_epochs": 0}
    streamed = make(**whole).fit(Pairs(PAIRS))
    listed = make(**whole).fit(X, y)
    losses = [c.history_[-1]["train_loss"] for c in (streamed, listed)]
    # Of the listed images, the order in the batch is drawn.
    assert losses[0] == pytest.approx(losses[1], rel=0.2)


def test_augmentation_may_be_a_callable_without_a_hash():
    class Unhashable(list):
        def __call__(self, images, regions, rng):
            return images, regions

    assert len(make(augment=Unhashable()).fit(SCENES.images, SCENES.target % 2).history_) == 1


def test_labels_of_any_kind_and_images_of_any_kind():
    labels = np.array(["cat", "dog"])
    pairs = [
        (Image.fromarray(image).resize((20 + number % 3, 25)), labels[label])
        for number, (image, label) in enumerate(PAIRS)
    ]
    clf = make(class_weight="balanced").fit(Pairs(pairs))
    assert clf.classes_.tolist() == ["cat", "dog"] and clf.image_shape_in_ is None
    weights = clf.net_.history  # trained at all
    assert len(weights) == 1
    tensors = [(torch.tensor(image), torch.tensor(label)) for image, label in PAIRS]
    assert make(L2XClassifier).fit(Pairs(tensors)).classes_.tolist() == [0, 1]


def test_classes_weigh_as_they_do_in_arrays():
    clf = make(class_weight={0: 1.0, 1: 3.0}).fit(Pairs(PAIRS))
    given = read_labeled(clf, Pairs(PAIRS), None, clf._meaning(fitted=True))
    data, _ = training_data(clf, Division(given), np.array([0.5, 1.5]))
    assert data.class_weight.tolist() == [0.5, 1.5]
    assert data.class_weights().tolist() == [0.5 * 21, 1.5 * 20]
    assert data.total_weight() == 0.5 * 21 + 1.5 * 20


def test_labels_are_counted_as_they_are_in_arrays():
    rows = [[1, number % 2] for number in range(41)]
    contents = StreamContents(
        Pairs([(x, y) for (x, _), y in zip(PAIRS, rows, strict=True)]), {}, 0
    )
    classes = np.arange(2)
    views = Views(grid, Grid((32, 32), "pad"), None)
    data = TrainingStream(contents, classes, views, np.ones((2, 2), np.float32), 0)
    assert data.class_weights().tolist() == [41, 20] and data.total_weight() == 41
    (inputs, target), *_ = data
    assert target.tolist() == rows[:1] and inputs["weight"].tolist() == [1]


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "holds no image"),
        ([PAIRS[0], PAIRS[1][0]], "item 1 of the stream is a ndarray; expected"),
        ([(*PAIRS[0], 1)], "item 0 of the stream is a tuple of length 3; expected"),
        ([PAIRS[0], (np.zeros((4, 4, 3)) + 7, 0)], "item 1 of the stream: .*0, 1"),
        ([PAIRS[0], ("no/such/file.png", 0)], "item 1 of the stream: .*no/such/file.png"),
        ([PAIRS[0], (np.zeros((4, 4), np.uint8), 1)], "differ in their channels"),
        ([PAIRS[0], (PAIRS[1][0], PAIRS[0][1])], "two classes"),
    ],
)
def test_bad_items_are_named_before_anything_is_trained(pairs, message):
    clf = make()
    with pytest.raises((InputError, OSError), match=message):
        clf.fit(Pairs(pairs))
    assert not hasattr(clf, "net_")


@pytest.mark.parametrize(
    ("later", "message"),
    [
        (PAIRS[:30], "fewer images in epoch 1 than .* were 41"),
        (PAIRS + PAIRS[:9], "more images in epoch 1 than .* were 41"),
        ([(image, 7) for image, _ in PAIRS], "label 7 in epoch 1"),
        ([(image, "1 more") for image, _ in PAIRS], "label '1 more' in epoch 1"),
    ],
)
def test_a_stream_that_has_changed_is_told(later, message):
    with pytest.raises((InputError, TrainingError), match=message):
        make().fit(Pairs(PAIRS, later))


def test_workers_may_divide_the_images_anew_in_every_epoch():
    class Uneven(Pairs):
        """One worker has more than the other, and the other has in the next epoch."""

        def __iter__(self):
            first = get_worker_info().id == len(self.epochs) % 2
            yield from self.pairs[:30] if first else self.pairs[30:]

        def set_epoch(self, epoch):
            self.epochs = [0] * epoch

    clf = make(training__num_workers=2, max_epochs=3, training__lr_schedule="onecycle").fit(
        Uneven(PAIRS)
    )
    assert clf.history_[:, "train_batch_count"] == [6, 6, 6]


def test_batches_of_one_image_are_batches():
    _, found = batches(Pairs(PAIRS[:3]), 1)
    assert [len(target) for _, target in found] == [1, 1, 1]


def test_workers_that_read_the_same_are_told():
    with pytest.raises(InputError, match="num_workers=2, and each of them reads the same"):
        make(training__num_workers=2).fit(Pairs(PAIRS, divided=False))


def test_what_needs_rows_refuses_a_stream():
    with pytest.raises(InputError, match="labels in it and no rows that y"):
        make().fit(Pairs(PAIRS), SCENES.target)
    with pytest.raises(InputError, match="sample_weight and regions"):
        make().fit(Pairs(PAIRS), sample_weight=[1], regions=[1])
    with pytest.raises(InputError, match="validation needs images in any order"):
        make(validation=0.2).fit(Pairs(PAIRS))
    with pytest.raises(InputError, match="table of masks"):
        make(DiETClassifier).fit(Pairs(PAIRS))
    with pytest.raises(InputError, match="sparsity='threshold'"):
        make(L2XClassifier, sparsity="threshold").fit(Pairs(PAIRS))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_learns_from_shards_that_webdataset_reads(tmp_path, num_workers):
    for shard in range(2):
        with webdataset.TarWriter(str(tmp_path / f"train-{shard}.tar")) as tar:
            for number in range(shard, len(PAIRS), 2):
                image, label = PAIRS[number]
                tar.write({"__key__": f"{number:03d}", "png": image, "cls": label})
    shards = webdataset.WebDataset(str(tmp_path / "train-{0..1}.tar"), shardshuffle=2)
    stream = shards.decode("pil").shuffle(10).to_tuple("png", "cls")
    clf = make(training__num_workers=num_workers, max_epochs=2).fit(stream)
    assert clf.classes_.tolist() == [0, 1] and len(clf.history_) == 2


def test_a_stopped_training_goes_on_to_the_same_end(tmp_path):
    class Stop(IterableDataset):
        """Stops the training in its second epoch."""

        def __init__(self, after):
            self.after, self.epoch = after, -1

        def set_epoch(self, epoch):
            self.epoch = epoch

        def __iter__(self):
            for number, pair in enumerate(PAIRS):
                if self.epoch == self.after and number == 20:
                    raise RuntimeError("the disk is gone")
                yield pair

    settings = {"max_epochs": 3, "training__lr_schedule": "onecycle", "augment": "shift+tint"}
    whole = make(**settings).fit(Stop(None))
    with pytest.raises(RuntimeError, match="the disk is gone"):
        make(**settings, training__checkpoint_dir=tmp_path).fit(Stop(1))
    resumed = make(**settings, training__checkpoint_dir=tmp_path).fit(Stop(None))
    assert json.dumps(resumed.history_[:, "train_loss"]) == json.dumps(
        whole.history_[:, "train_loss"]
    )
    state = whole.module_.state_dict()
    assert all(torch.equal(v, state[k]) for k, v in resumed.module_.state_dict().items())


def test_an_error_of_the_stream_comes_through_and_says_where():
    class Breaks(IterableDataset):
        def __iter__(self):
            yield np.zeros((4, 4, 3), np.uint8), "a"
            raise ConnectionError("the network is gone")

    with pytest.raises(ConnectionError, match="network is gone") as caught:
        StreamContents(Breaks(), {}, 0)
    assert caught.value.__notes__ == ["raised by the stream for its item 1"]


def test_a_stream_that_does_not_end_is_mentioned_once(monkeypatch):
    class Long(IterableDataset):
        def __iter__(self):
            return iter([(np.zeros((4, 4, 3), np.uint8), "ab"[i % 2]) for i in range(9)])

    monkeypatch.setattr(stream, "_PATIENCE", -1.0)
    with pytest.warns(P2PSelectWarning, match="1 images so far.*has to end") as caught:
        StreamContents(Long(), {}, 0)
    assert len(caught) == 1
