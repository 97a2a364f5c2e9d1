"""Several requests at once: fewer batches, every answer its own, none lost."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from app.serving import HalfModel, encoded, serving

from p2pselect.app import create_app
from p2pselect.app._worker import Worker

N, THREADS = 64, 16
SECONDS = 30


def test_many_requests_at_once_share_batches_and_none_is_lost(inbox):
    model = HalfModel(seconds=0.05)
    with serving(create_app(model, batch_wait=0.05)) as served:
        model.batches.clear()
        start = time.monotonic()
        with ThreadPoolExecutor(THREADS) as pool:
            said = list(pool.map(lambda i: served.post("/predict", encoded(3 * i)), range(N)))
        took = time.monotonic() - start
    for i, (status, answer) in enumerate(said):
        assert status == 200
        assert answer["probabilities"]["bright"] == pytest.approx(3 * i / 255, abs=1e-5)
    assert took < SECONDS
    assert sum(model.batches) == N
    assert len(model.batches) <= N / 2 and max(model.batches) <= model.batch_size


def test_hostile_files_take_nothing_from_the_others(inbox):
    model = HalfModel()
    bad = encoded(200, (300, 200), "jpeg")[:-700]
    with serving(create_app(model, batch_wait=0.05)) as served:
        bodies = [bad if i % 4 == 1 else encoded(i) for i in range(32)]
        with ThreadPoolExecutor(THREADS) as pool:
            said = list(pool.map(lambda body: served.post("/predict", body), bodies))
    assert [status for status, _ in said] == [422 if i % 4 == 1 else 200 for i in range(32)]


class Counted:
    """Explains words by themselves in upper case; remembers the batches."""

    def __init__(self, gate=None):
        self.batches, self.gate = [], gate

    def __call__(self, files):
        self.batches.append(list(files))
        if self.gate is not None:
            assert self.gate.wait(30)
        if "bad" in files:
            raise ValueError("bad")
        return [file.upper() for file in files]


def test_one_that_fails_fails_alone():
    explain = Counted()
    worker = Worker(explain, 4, 1.0)
    futures = [worker.ask(file) for file in ("a", "bad", "c", "d")]
    worker.start()
    assert [f.result(30) for f in futures if f is not futures[1]] == ["A", "C", "D"]
    with pytest.raises(ValueError, match="bad"):
        futures[1].result(30)
    worker.stop()
    assert explain.batches[0] == ["a", "bad", "c", "d"]


def test_nobody_waits_for_the_folder():
    gate = Event()
    explain = Counted(gate)
    worker = Worker(explain, 16, 0.0)
    rest = [worker.ask(f"f{i}", urgent=False) for i in range(40)]
    worker.start()
    while not explain.batches:
        time.sleep(0.001)
    now = worker.ask("now")
    gate.set()
    assert now.result(30) == "NOW" and [f.result(30) for f in rest][-1] == "F39"
    worker.stop()
    # One batch of the folder had begun; and it was a small one.
    assert explain.batches[1] == ["now"] and len(explain.batches[0]) < 16


def test_a_full_batch_waits_for_no_more():
    worker = Worker(Counted(), 2, 60.0)
    worker.start()
    start = time.monotonic()
    assert [f.result(30) for f in [worker.ask("a"), worker.ask("b")]] == ["A", "B"]
    worker.stop()
    assert time.monotonic() - start < 30


def test_stopping_answers_those_who_wait_and_forgets_the_folder():
    gate = Event()
    explain = Counted(gate)
    worker = Worker(explain, 4, 60.0)
    waiting = [worker.ask(f"w{i}") for i in range(6)]
    rest = [worker.ask("f", urgent=False) for _ in range(9)]
    worker.start()
    with ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(worker.stop)
        gate.set()
        stopping.result(30)
    assert [f.result(0) for f in waiting] == [f"W{i}" for i in range(6)]
    assert all(future.cancelled() for future in rest)


def test_who_no_longer_waits_is_not_answered():
    explain = Counted()
    worker = Worker(explain, 4, 0.0)
    gone, stays = worker.ask("gone"), worker.ask("stays")
    gone.cancel()
    alone = worker.ask("alone")
    worker.start()
    assert stays.result(30) == "STAYS" and alone.result(30) == "ALONE"
    worker.stop()
    assert "gone" not in sum(explain.batches, [])
