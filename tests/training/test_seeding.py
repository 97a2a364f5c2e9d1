"""Random numbers belong to an estimator, and what the program around has set stays so."""

import os
import random
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed, parallel_config

from p2pselect import P2PClassifier, SuperpixelTransformer, datasets, load, presets
from p2pselect.exceptions import InputError
from p2pselect.training._isolation import Randomness, Turns, resolve_device, usual_surroundings

CPU = torch.device("cpu")
SETTINGS = {
    **presets.SMALL,
    "image_size": 32,
    "regions": SuperpixelTransformer(n_segments=9),
    "max_epochs": 2,
    "objective__warmup_epochs": 1,
    "batch_size": 8,
    "validation": 0.25,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def scenes():
    made = datasets.make_digit_scenes(12, image_size=32, random_state=0)
    return made.images, made.target % 2


def fitted_proba(seed, X, y):
    return (
        P2PClassifier()
        .set_params(**{**SETTINGS, "random_state": seed})
        .fit(X, y)
        .predict_proba(X)
    )


@pytest.fixture(scope="module")
def alone(scenes):
    return [fitted_proba(seed, *scenes) for seed in range(3)]


def state_of_the_process():
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    return {
        "torch": torch.get_rng_state().tolist(),
        "numpy": (name, keys.tolist(), *rest),
        "python": random.getstate(),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "errors": np.geterr(),
        "warnings": list(warnings.filters),
    }


@contextmanager
def dask_threads():
    distributed = pytest.importorskip("distributed", reason="dask is not installed")
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=3, processes=False, dashboard_address=None
    )
    with cluster, distributed.Client(cluster):
        yield


@pytest.mark.parametrize(
    "backend", ["threading", "dask", pytest.param("loky", marks=pytest.mark.slow)]
)
def test_fits_side_by_side_equal_fits_alone(scenes, alone, backend):
    with dask_threads() if backend == "dask" else nullcontext():
        before = state_of_the_process()
        with parallel_config(backend, n_jobs=3):
            found = Parallel()(delayed(fitted_proba)(seed, *scenes) for seed in range(3))
        after = state_of_the_process()
    if backend == "dask":  # which draws names from Python's generator
        before["python"] = after["python"]
    assert after == before
    for side_by_side, expected in zip(found, alone, strict=True):
        np.testing.assert_array_equal(side_by_side, expected)


def test_loading_beside_a_fit_changes_neither(scenes, alone, tmp_path):
    path = tmp_path / "model"
    P2PClassifier().set_params(**SETTINGS).fit(*scenes).save(path)
    over = threading.Event()

    def load_again_and_again():
        while not over.is_set():
            assert (load(path).predict_proba(scenes[0]) == alone[0]).all()

    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(load_again_and_again)
        found = fitted_proba(1, *scenes)
        over.set()
        loading.result()
    np.testing.assert_array_equal(found, alone[1])


@contextmanager
def set_and_reset(setter, value, before):
    setter(value)
    try:
        yield
    finally:
        setter(before)


AROUND = {
    "float64": lambda: set_and_reset(torch.set_default_dtype, torch.float64, torch.float32),
    "bfloat16": lambda: set_and_reset(torch.set_default_dtype, torch.bfloat16, torch.float32),
    "device": lambda: torch.device("meta"),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "numpy errors": lambda: np.errstate(all="raise"),
    "deterministic": lambda: set_and_reset(torch.use_deterministic_algorithms, True, False),
    "anomalies": lambda: torch.autograd.set_detect_anomaly(True),
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_what_the_program_has_switched_changes_nothing(scenes, alone, tmp_path, around):
    X, y = scenes
    clf = P2PClassifier().set_params(**SETTINGS)
    with around(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Anomaly Detection")
        before = state_of_the_process()
        np.testing.assert_array_equal(clf.fit(X, y).predict_proba(X), alone[0])
        clf.save(tmp_path / "model")
        again = load(tmp_path / "model")
        np.testing.assert_array_equal(again.predict_proba(X), alone[0])
        explanation = again.explain(X)
        continued = again.partial_fit(X, y).predict_proba(X)
        assert state_of_the_process() == before
    expected = clf.explain(X)
    for name in ("pixel_masks", "selection_logits", "selection_probs", "tau", "proba"):
        np.testing.assert_array_equal(getattr(explanation, name), getattr(expected, name))
        assert getattr(explanation, name).dtype == getattr(expected, name).dtype
    expected = load(tmp_path / "model").partial_fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(continued, expected)


def test_without_a_random_state_numpys_generator_decides(scenes):
    np.random.seed(3)  # noqa: NPY002
    one = fitted_proba(None, *scenes)
    two = fitted_proba(None, *scenes)
    np.random.seed(3)  # noqa: NPY002
    np.testing.assert_array_equal(fitted_proba(None, *scenes), one)
    assert (one != two).any()


def test_own_numbers_go_on_where_they_stopped():
    expected = torch.rand(6, generator=torch.Generator().manual_seed(5))
    callers = torch.get_rng_state()
    own, found = Randomness(5, CPU), []
    for _ in range(2):
        with own.in_place():
            found.append(torch.rand(2))
    with pytest.raises(KeyError), own.in_place():
        found.append(torch.rand(2))
        raise KeyError
    assert torch.equal(torch.cat(found), expected)
    assert torch.equal(torch.get_rng_state(), callers)


def test_own_numbers_within_own_numbers():
    outer, inner = Randomness(1, CPU), Randomness(2, CPU)
    with outer.in_place():
        first = torch.rand(1)
        with inner.in_place():
            other = torch.rand(1)
        second = torch.rand(1)
    drawn = torch.rand(2, generator=torch.Generator().manual_seed(1))
    assert torch.equal(torch.cat([first, second]), drawn)
    assert torch.equal(other, torch.rand(1, generator=torch.Generator().manual_seed(2)))


def test_one_thread_at_a_time():
    entered = threading.Event()

    def other():
        with Randomness(2, CPU).in_place():
            entered.set()

    thread = threading.Thread(target=other)
    with Randomness(1, CPU).in_place():
        thread.start()
        assert not entered.wait(0.2)
    thread.join()
    assert entered.is_set()


def test_numpy_errors_are_the_usual_ones_inside():
    with np.errstate(all="raise"):
        with usual_surroundings():
            inside = np.geterr()
        assert set(np.geterr().values()) == {"raise"}
    usual = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
    assert inside == usual


def test_turns_are_taken_in_order():
    turns, order, waiting = Turns(), [], threading.Event()

    def other():
        waiting.set()
        with turns:
            order.append("other")

    thread = threading.Thread(target=other)
    with turns, turns:  # the same thread may enter twice
        thread.start()
        waiting.wait()
        while not turns._queue.locked():
            pass
    with turns:
        order.append("first again")
    thread.join()
    assert order == ["other", "first again"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("by_whom", ["another thread", "the thread that forks"])
def test_a_forked_child_does_not_wait_for_threads_of_its_parent(by_whom):
    inside, done = threading.Event(), threading.Event()
    callers = torch.get_rng_state()

    def step():
        with Randomness(1, CPU).in_place():
            inside.set()
            done.wait(60)

    def child():
        if by_whom == "another thread" and not torch.equal(torch.get_rng_state(), callers):
            return 2
        with Randomness(2, CPU).in_place():
            return 0

    def forked():
        pid = os.fork()
        if pid == 0:
            os._exit(child())
        for _ in range(600):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            done.wait(0.1)
        os.kill(pid, 9)
        return "hangs"

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Python, about threads
        if by_whom == "another thread":
            thread = threading.Thread(target=step)
            thread.start()
            inside.wait()
            code = forked()
            done.set()
            thread.join()
        else:
            with Randomness(1, CPU).in_place():
                code = forked()
    assert code == 0


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta", ""])
def test_a_device_that_is_not_there(scenes, device):
    with pytest.raises(InputError, match="device="):
        resolve_device(device)


AFTER_USE = """
import os, signal
import numpy as np
import torch
from p2pselect import P2PClassifier, presets

torch.set_num_threads(2)
images = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
settings = {**presets.SMALL, "image_size": 64, "regions": "grid", "max_epochs": 1}
clf = P2PClassifier(**settings).fit(images, [0, 1] * 4)
expected = clf.predict_proba(images)
if os.fork() == 0:
    signal.alarm(60)
    found = clf.predict_proba(images)
    clf.partial_fit(images, [0, 1] * 4)
    same = np.abs(found - expected).max() < 1e-5
    os._exit(0 if same and torch.get_num_threads() == 2 else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_answers_after_the_model_was_used():
    # Threads that wait do not spin: there may be fewer cores than threads.
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, "-c", AFTER_USE]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert run.returncode == 0, run.stderr
