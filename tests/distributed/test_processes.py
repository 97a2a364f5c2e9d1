"""Two processes that torchrun starts learn and predict what one process does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch.distributed

from p2pselect.distributed import Processes, alone, together
from p2pselect.exceptions import InputError
from p2pselect.training._whole_batch import WholeBatchDraws

WORK = Path(__file__).with_name("work.py")
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")

needs_gloo = pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="this build of torch has no gloo",
)


def work(folder, *launcher):
    folder.mkdir()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *launcher, WORK, folder],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "found.json").read_text())


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    return work(folder / "one"), work(folder / "two", *TORCHRUN), folder


@needs_gloo
@pytest.mark.parametrize(
    "what",
    "p2p dropout comet realx diet stream checkpoint search".split() + ["early stopping"],
)
def test_two_processes_learn_what_one_does(both, what):
    one, two, _ = both
    assert two["n_processes"] == 2 and one["n_processes"] == 1
    for name, value in one[what].items():
        np.testing.assert_allclose(two[what][name], value, atol=1e-5, err_msg=name)


@needs_gloo
def test_all_processes_have_the_whole_result(both):
    one, two, folder = both
    second = json.loads((folder / "two" / "second.json").read_text())
    assert second["proba"] == two["p2p"]["proba"]
    np.testing.assert_allclose(two["one image"], one["one image"], atol=1e-5)


@needs_gloo
def test_early_stopping_is_decided_together(both):
    one, two, _ = both
    assert len(two["valid_loss"]) == len(one["valid_loss"]) == 2
    np.testing.assert_allclose(two["valid_loss"], one["valid_loss"], atol=1e-5)


@needs_gloo
def test_a_search_gives_the_same_scores(both):
    one, two, _ = both
    np.testing.assert_allclose(two["scores"], one["scores"], atol=1e-5)


@needs_gloo
def test_the_model_is_stored_unwrapped_and_whole(both):
    one, two, folder = both
    assert two["module"] == one["module"]
    assert two["alone"] == pytest.approx(np.array(two["p2p"]["proba"]), abs=1e-6)
    left = [path.name for path in (folder / "two").rglob("*") if path.name.startswith(".")]
    assert left == []
    assert len(list((folder / "two" / "checkpoints").iterdir())) == 1


@needs_gloo
def test_other_images_in_another_process_are_an_error(both):
    one, two, _ = both
    assert one["other images"] == "accepted"
    assert "the images of process 1 are not those of process 0" in two["other images"]


@needs_gloo
def test_a_process_that_fails_ends_all(tmp_path):
    script = tmp_path / "fails.py"
    script.write_text(
        "import numpy as np\n"
        "from p2pselect import P2PClassifier\n"
        "P2PClassifier(image_size=8).fit(np.zeros((4, 8, 8, 3)), [0, 0, 0, 0])\n"
    )
    done = subprocess.run(
        [sys.executable, *TORCHRUN, script], capture_output=True, text=True, timeout=120
    )
    assert done.returncode != 0
    assert "InputError" in done.stderr


def test_rows_are_dealt_out_evenly():
    parts = [Processes(rank, 3).part(8) for rank in range(3)]
    assert [range(8)[part] for part in parts] == [range(3), range(3, 6), range(6, 8)]
    assert Processes().part(5) == slice(0, 5)
    assert Processes(2, 3).part(1) == slice(1, 1)


def test_one_process_waits_for_nobody():
    assert together() == Processes(0, 1)
    assert Processes().gather("a") == ["a"] and Processes().of_first("a") == "a"
    Processes().agree("images", lambda: pytest.fail("asked for nothing"))
    with alone():
        assert together().size == 1


def test_processes_that_disagree_name_the_first_that_does(monkeypatch):
    monkeypatch.setattr(Processes, "gather", lambda self, value: [value, value, b"other"])
    with pytest.raises(InputError, match="labels of process 2 are not those of process 0"):
        Processes(0, 3).agree("labels", lambda: 1)


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, n: rng.random(n),
        lambda rng, n: rng.random(size=(n, 2)),
        lambda rng, n: rng.integers(0, 9, n),
        lambda rng, n: rng.uniform(-1, 1, (n, 1, 1, 3)),
        lambda rng, n: rng.normal(size=n),
        lambda rng, n: rng.choice(5, n),
        lambda rng, n: np.stack([child.random(2) for child in rng.spawn(n)]),
    ],
)
def test_draws_of_a_part_are_those_of_the_whole(draw):
    whole = draw(np.random.default_rng(0), 7)
    for part in (slice(0, 4), slice(4, 7)):
        rng = WholeBatchDraws(np.random.default_rng(0), 7, part)
        np.testing.assert_array_equal(draw(rng, part.stop - part.start), whole[part])


def test_draws_of_no_row_are_left_alone():
    rng = WholeBatchDraws(np.random.default_rng(0), 7, slice(0, 3))
    assert rng.random() == np.random.default_rng(0).random()
    rng = WholeBatchDraws(np.random.default_rng(0), 7, slice(0, 3))
    np.testing.assert_array_equal(rng.random(2), np.random.default_rng(0).random(2))
    rng = WholeBatchDraws(np.random.default_rng(0), 7, slice(0, 3))
    assert rng.permutation(4).tolist() == np.random.default_rng(0).permutation(4).tolist()
