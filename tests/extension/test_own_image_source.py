"""Images from a place of one's own, by public imports only: a table of a database."""

import io
import pickle
import sqlite3

import numpy as np
import pytest
from PIL import Image
from sklearn.model_selection import train_test_split

from p2pselect import P2PClassifier, SuperpixelTransformer, presets
from p2pselect.exceptions import ImageReadError, InputError, P2PSelectWarning
from p2pselect.images import EncodedImageSource, ImageSource, as_images

N = 12


class TableImages(EncodedImageSource):
    """Images in a table ``photos(id, content)``."""

    def __init__(self, database):
        self.database = str(database)
        with sqlite3.connect(self.database) as connection:
            rows = connection.execute("SELECT id FROM photos ORDER BY id")
            self.ids = [key for (key,) in rows]

    def __len__(self):
        return len(self.ids)

    def open_one(self, position):
        key = self.ids[position]
        with sqlite3.connect(self.database) as connection:
            row = connection.execute("SELECT content FROM photos WHERE id = ?", (key,))
            return io.BytesIO(row.fetchone()[0]), f"photo {key} of {self.database}"


class Waves(ImageSource):
    """Gray images that are computed, as floats."""

    n_channels, is_float, can_fail = 1, True, False

    def __init__(self, dtype=np.float32):
        self.dtype = dtype

    def __len__(self):
        return N

    def read_one(self, position):
        x = np.arange(16 + position % 2, dtype=self.dtype)
        return (np.sin(x[:, None, None] * x[:, None] * position) + 1) / 2


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (N, 20, 16, 3), dtype=np.uint8)


@pytest.fixture
def database(pixels, tmp_path):
    file = tmp_path / "photos.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE photos (id INTEGER PRIMARY KEY, content BLOB)")
        for number, image in enumerate(pixels):
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "PNG")
            row = (100 + number, buffer.getvalue())
            connection.execute("INSERT INTO photos VALUES (?, ?)", row)
    return file


def test_a_model_trains_on_it_as_on_arrays(database, pixels):
    y = np.arange(N) % 2
    settings = {**presets.SMALL, "image_size": 16, "max_epochs": 1, "random_state": 0}
    own = P2PClassifier(**settings).fit(TableImages(database), y)
    of_arrays = P2PClassifier(**settings).fit(pixels, y)
    proba = own.predict_proba(TableImages(database))
    np.testing.assert_array_equal(proba, of_arrays.predict_proba(pixels))
    np.testing.assert_array_equal(own.predict_proba(as_images(TableImages(database))), proba)


def test_it_is_sliced_pickled_and_measured(database, pixels):
    images = as_images(TableImages(database))
    assert repr(images) == "ImageSequence(12 images, of various sizes, 3 channels, uint8)"
    assert images.sizes().tolist() == [[20, 16]] * N and images.files is None
    view = pickle.loads(pickle.dumps(images[[7, 2]]))
    np.testing.assert_array_equal(view.batch([1, 0]), pixels[[2, 7]])
    train, _, numbers, _ = train_test_split(images, np.arange(N), random_state=0)
    np.testing.assert_array_equal(train.batch(slice(None)), pixels[numbers])
    regions = SuperpixelTransformer(n_segments=9, n_jobs=2).transform(images)
    np.testing.assert_array_equal(
        regions, SuperpixelTransformer(n_segments=9).transform(pixels)
    )


def test_a_damaged_image_is_named_before_training(database):
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE photos SET content = substr(content, 1, 60) WHERE id = 104")
    source = TableImages(database)
    with pytest.raises(ImageReadError, match=r"1 of 12 images(?s:.*)photo 104 of .*photos\.db"):
        P2PClassifier(**presets.SMALL).fit(source, np.arange(N) % 2)
    with pytest.warns(P2PSelectWarning, match="photo 104"):
        readable = as_images(source).readable()
    assert np.flatnonzero(~readable).tolist() == [4]


def test_warnings_are_given_once_per_call(tmp_path):
    class Scans(EncodedImageSource):
        def __len__(self):
            return 3

        def open_one(self, position):
            buffer = io.BytesIO()
            frames = [Image.new("L", (4, 4), level) for level in (10, 20)]
            frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
            buffer.seek(0)
            return buffer, f"scan {position}"

    images = as_images(Scans())
    for _ in range(2):
        with pytest.warns(P2PSelectWarning, match="scan 0 has 2 frames") as warned:
            as_images(images)[:].batch(slice(None))
        assert len(warned) == 1


def test_pixels_may_be_computed():
    images = as_images(Waves())
    assert images.n_channels == 1 and images.is_float and images.readable().all()
    assert images[3].shape == (17, 17, 1)
    assert images.batch([0, 3], size=8).shape == (2, 8, 8, 3)


def test_what_a_source_says_of_its_images_must_be_true():
    with pytest.raises(
        InputError, match=r"image 2 of X .*float64; expected \(h, w, 1\) and flo"
    ):
        as_images(Waves(np.float64)).batch([2], size=8)
