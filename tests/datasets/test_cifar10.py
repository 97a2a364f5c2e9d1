import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from datasets.small_files import write_image
from torchvision.datasets import CIFAR10

from p2pselect.datasets import DATASETS, load_cifar10
from p2pselect.exceptions import InputError, UnknownNameError

NAMES = "airplane automobile bird cat deer dog frog horse ship truck".split()
BATCHES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


@pytest.fixture
def batches():
    rng = np.random.default_rng(0)
    return {
        name: (rng.integers(0, 256, (4, 3072), dtype=np.uint8), rng.integers(0, 10, 4))
        for name in BATCHES
    }


def python2_pickle(batch):
    """A pickle as Python 2 wrote it, with the pixels as a plain string of bytes."""
    pixels, labels = batch
    content = b"".join(
        [
            b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n",
            b"K\x00\x85U\x01b\x87R(K\x01K\x04M\x00\x0c\x86cnumpy\ndtype\n",
            b"U\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89",
            b"T" + pixels.nbytes.to_bytes(4, "little") + pixels.tobytes() + b"tb",
            b"U\x06labels](" + b"".join(b"K" + bytes([label]) for label in labels) + b"eu.",
        ]
    )
    read = pickle.loads(content, encoding="latin1")
    np.testing.assert_array_equal(read["data"], pixels)
    return content


@pytest.fixture
def pickled(tmp_path, batches, monkeypatch):
    """Small batches, of which torchvision is told the checksums."""
    folder = tmp_path / "cifar10" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    meta = {"label_names": NAMES, "num_cases_per_batch": 4, "num_vis": 3072}
    files = {name: python2_pickle(batch) for name, batch in batches.items()}
    files["batches.meta"] = pickle.dumps(meta, protocol=2)
    sums = []
    for name, content in files.items():
        (folder / name).write_bytes(content)
        sums.append([name, hashlib.md5(content).hexdigest()])
    monkeypatch.setattr(CIFAR10, "train_list", sums[:5])
    monkeypatch.setattr(CIFAR10, "test_list", sums[5:6])
    monkeypatch.setitem(CIFAR10.meta, "md5", sums[6][1])
    return folder


@pytest.fixture
def binary(tmp_path, batches):
    folder = tmp_path / "cifar10" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    for name, (pixels, labels) in batches.items():
        records = np.concatenate([labels[:, None].astype(np.uint8), pixels], axis=1)
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    (folder / "batches.meta.txt").write_text("\n".join([*NAMES, ""]))
    return folder


@pytest.mark.parametrize("form", ["pickled", "binary"])
def test_batches(form, batches, request):
    root = request.getfixturevalue(form).parent
    for split, names in (("train", BATCHES[:5]), ("test", BATCHES[5:])):
        data = load_cifar10(root, split)
        pixels = np.concatenate([batches[name][0] for name in names])
        planes = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        np.testing.assert_array_equal(data.images.batch(slice(None)), planes)
        np.testing.assert_array_equal(data.images[[2, 0]].batch(slice(None)), planes[[2, 0]])
        labels = np.concatenate([batches[name][1] for name in names])
        np.testing.assert_array_equal(data.target, labels)
        assert data.target_names.tolist() == NAMES


def test_image_folders(tmp_path):
    for split in ("train", "test"):
        for value, name in enumerate(NAMES[: 10 if split == "train" else 9]):
            write_image(tmp_path / split / name / "0001.png", (32, 32), value)
    data = load_cifar10(tmp_path, "test")
    assert data.target.tolist() == list(range(9)) and len(data.target_names) == 10


def test_the_paper_cuts_the_middle(binary, batches):
    data = DATASETS["cifar10"].load(binary.parent.parent, "test")
    image = data.images[0]
    whole = load_cifar10(binary.parent, "test").images.batch([0], size=256)[0]
    assert np.abs(image.astype(int) - whole[16:240, 16:240]).max() <= 1


def test_trees_that_do_not_fit(tmp_path, binary):
    with pytest.raises(InputError, match=r"lacks cifar-10-batches-py or cifar-10-batches-bin"):
        load_cifar10(tmp_path)
    with pytest.raises(UnknownNameError, match="no split 'tets', .*did you mean 'test'"):
        load_cifar10(binary.parent, "tets")
    (binary / "test_batch.bin").write_bytes(b"123")
    with pytest.raises(InputError, match=r"test_batch.bin has 3 bytes, .* multiple of 3073"):
        load_cifar10(binary.parent, "test")
    (binary / "test_batch.bin").write_bytes(b"\x0b" + bytes(3072))
    with pytest.raises(InputError, match="a label is 11, but there are only 10 names"):
        load_cifar10(binary.parent, "test")
    (binary / "data_batch_3.bin").unlink()
    with pytest.raises(InputError, match="lacks cifar-10-batches-bin/data_batch_3.bin"):
        load_cifar10(binary.parent)


class Planted:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
def test_a_file_that_is_not_the_original_is_named_and_not_unpickled(name, pickled, tmp_path):
    planted = pickle.dumps(Planted(tmp_path / "ran"))
    pickle.loads(planted)
    (tmp_path / "ran").unlink()
    (pickled / name).write_bytes(planted)
    for split in ("train", "test"):
        with pytest.raises(InputError, match=f"{name} is not the file of cifar-10-python"):
            load_cifar10(pickled.parent, split)
    assert not (tmp_path / "ran").exists()
    (pickled / name).unlink()
    with pytest.raises(InputError, match=f"lacks cifar-10-batches-py/{name}"):
        load_cifar10(pickled.parent)
