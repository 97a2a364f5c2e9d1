import multiprocessing
import sqlite3
import subprocess
import sys
import time
import warnings
from contextlib import closing

import numpy as np
import pytest

from p2pselect import SuperpixelTransformer
from p2pselect.exceptions import InputError, P2PSelectWarning
from p2pselect.regions._cache import LabelCache, _pack, cache_key, open_cache

KEYS = [bytes([k]) * 16 for k in range(8)]


def labels_of(k: int, largest: int = 10) -> np.ndarray:
    return np.random.default_rng(k).integers(0, largest, (20, 30)).astype(np.int32)


@pytest.mark.parametrize("largest", [1, 256, 257, 70000])
def test_labels_come_back_as_they_were(tmp_path, largest):
    LabelCache(tmp_path / "new" / "folder").put(KEYS[0], labels_of(0, largest))
    again = LabelCache(tmp_path / "new" / "folder").get(KEYS[0])
    assert again.dtype == np.int32
    assert np.array_equal(again, labels_of(0, largest))


def test_two_caches_of_one_folder_see_what_the_other_adds(tmp_path):
    one, other = LabelCache(tmp_path), LabelCache(tmp_path)
    assert other.get(KEYS[0]) is None
    one.put(KEYS[0], labels_of(0))
    other.put(KEYS[1], labels_of(1))
    assert np.array_equal(other.get(KEYS[0]), labels_of(0))
    assert np.array_equal(one.get(KEYS[1]), labels_of(1))
    assert one.info()[:3] == (1, 0, 2)
    assert other.info()[:3] == (1, 1, 2)


def test_a_file_cut_anywhere_gives_right_labels_or_none(tmp_path):
    full = LabelCache(tmp_path)
    for k in range(3):
        full.put(KEYS[k], labels_of(k))
    whole = full.file.read_bytes()
    for length in range(0, len(whole), 501):
        full.file.write_bytes(whole[:length])
        cut = LabelCache(tmp_path)
        for k in range(3):
            found = cut.get(KEYS[k])
            assert found is None or np.array_equal(found, labels_of(k))
        # A writer that comes after the crash is not disturbed by what that left behind.
        cut.put(KEYS[7], labels_of(7))
        assert np.array_equal(LabelCache(tmp_path).get(KEYS[7]), labels_of(7))


def test_a_damaged_byte_never_gives_wrong_labels(tmp_path):
    stored = LabelCache(tmp_path)
    stored.put(KEYS[0], labels_of(0))
    whole = bytearray(stored.file.read_bytes())
    packed = _pack(labels_of(0))
    start = whole.index(packed)
    in_labels = range(start, start + len(packed), 3)
    n_found = 0
    for position in [*in_labels, *range(0, len(whole), 37)]:
        damaged = whole.copy()
        damaged[position] ^= 0x55
        stored.file.write_bytes(damaged)
        found = stored.get(KEYS[0])
        assert found is None or np.array_equal(found, labels_of(0))
        n_found += position in in_labels and found is not None
    assert n_found < 3


def test_labels_of_another_key_are_not_taken(tmp_path):
    stored = LabelCache(tmp_path)
    stored.put(KEYS[0], labels_of(0))
    with closing(sqlite3.connect(stored.file)) as database, database:
        database.execute("UPDATE maps SET key = ?", (KEYS[1],))
    assert stored.get(KEYS[1]) is None


def test_what_is_not_a_database_is_replaced(tmp_path):
    stored = LabelCache(tmp_path)
    stored.file.write_text("not a database, and longer than the head of one would be" * 9)
    assert stored.get(KEYS[0]) is None and stored.info()[2:] == (0, 0)
    stored.put(KEYS[0], labels_of(0))
    assert np.array_equal(stored.get(KEYS[0]), labels_of(0))


def test_an_emptied_folder_is_filled_again(tmp_path):
    stored = LabelCache(tmp_path)
    stored.put(KEYS[0], labels_of(0))
    assert stored.get(KEYS[0]) is not None
    for file in tmp_path.iterdir():
        file.unlink()
    assert stored.get(KEYS[0]) is None
    stored.put(KEYS[1], labels_of(1))
    assert np.array_equal(stored.get(KEYS[1]), labels_of(1))


WRITER = """
import sys, numpy as np
from p2pselect.regions._cache import LabelCache
stored = LabelCache(sys.argv[1])
for k in range(200):
    key = (int(sys.argv[2]) * 1000 + k).to_bytes(16, "little")
    stored.put(key, np.full((5, 5 + k), k, np.int32))
"""


def test_several_processes_write_at_once(tmp_path):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(n)])
        for n in range(2)
    ]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    stored = LabelCache(tmp_path)
    for n in range(2):
        for k in range(200):
            found = stored.get((n * 1000 + k).to_bytes(16, "little"))
            assert found.shape == (5, 5 + k)
            assert (found == k).all()


def test_a_forked_process_may_write_too(tmp_path):
    stored = LabelCache(tmp_path)
    stored.put(KEYS[0], labels_of(0))
    child = multiprocessing.get_context("fork").Process(
        target=stored.put, args=(KEYS[1], labels_of(1))
    )
    child.start()
    stored.put(KEYS[2], labels_of(2))
    child.join(60)
    assert child.exitcode == 0 and stored.info().n_maps == 3
    assert np.array_equal(stored.get(KEYS[1]), labels_of(1))


def test_a_folder_that_cannot_be_written_warns_once(tmp_path):
    (tmp_path / "file").write_text("in the way")
    stored = LabelCache(tmp_path / "file")
    with pytest.warns(P2PSelectWarning, match="cannot be stored"):
        stored.put(KEYS[0], labels_of(0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stored.put(KEYS[0], labels_of(0))
        assert stored.get(KEYS[0]) is None


def test_key_depends_on_all_that_matters():
    image = np.zeros((2, 3, 1), np.uint8)
    keys = {
        cache_key(image, "a"),
        cache_key(image, "b"),
        cache_key(image.reshape(3, 2, 1), "a"),
        cache_key(image + np.uint8(1), "a"),
        cache_key(image.view(np.int8), "a"),
    }
    assert len(keys) == 5


def test_transformer_hits_the_second_time(tmp_path, photographs):
    plain = SuperpixelTransformer(n_segments=30)
    cached = SuperpixelTransformer(n_segments=30, cache_dir=tmp_path)
    expected = plain.transform(photographs)
    assert np.array_equal(cached.transform(photographs), expected)
    assert cached.cache_info_[:3] == (0, 4, 4)
    # The same pixels as floats are the same image.
    assert np.array_equal(cached.transform(photographs / 255), expected)
    assert cached.cache_info_[:3] == (4, 4, 4)
    other = SuperpixelTransformer(n_segments=31, cache_dir=tmp_path).transform(photographs)
    assert not np.array_equal(other, expected)
    assert plain.cache_info_ == (0, 0, 0, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"engine": "grid"},
        {"compactness": 3.0},
        {"n_iter": 2},
        {"min_size_factor": 0.9},
        {"resolution": 48},
    ],
)
def test_every_parameter_has_entries_of_its_own(tmp_path, photographs, change):
    before = SuperpixelTransformer(n_segments=30, cache_dir=tmp_path)
    before.transform(photographs[:1])
    after = SuperpixelTransformer(n_segments=30, cache_dir=tmp_path, **change)
    expected = after.set_params(cache_dir=None).transform(photographs[:1])
    after.set_params(cache_dir=tmp_path)
    assert np.array_equal(after.transform(photographs[:1]), expected)


def test_a_hit_is_faster_than_a_computation(tmp_path, photographs):
    large = np.repeat(np.repeat(photographs, 3, axis=1), 3, axis=2)
    engine = SuperpixelTransformer()
    cached = SuperpixelTransformer(cache_dir=tmp_path)
    cached.transform(large)
    seconds = {}
    for name, transformer in {"computed": engine, "cached": cached}.items():
        runs = []
        for _ in range(5):
            start = time.process_time()
            transformer.transform(large)
            runs.append(time.process_time() - start)
        seconds[name] = np.median(runs)
    assert seconds["cached"] < seconds["computed"]


def test_callable_needs_a_key_to_be_cached(tmp_path, photographs):
    calls = []

    def halves(image):
        calls.append(1)
        return np.arange(image.shape[1])[None] * 2 // image.shape[1] + np.zeros(
            image.shape[:2], int
        )

    transformer = SuperpixelTransformer(engine=halves, cache_dir=tmp_path)
    with pytest.raises(InputError, match="cache_key"):
        transformer.transform(photographs)
    halves.cache_key = "halves 1"
    transformer.transform(photographs)
    transformer.transform(photographs)
    assert len(calls) == 4
    halves.cache_key = "halves 2"
    transformer.transform(photographs)
    assert len(calls) == 8


def test_one_cache_per_folder_and_process(tmp_path):
    assert open_cache(str(tmp_path)) is open_cache(str(tmp_path))
