"""Two processes that torchrun starts learn and predict what one process does."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch.distributed

from p2pselect.distributed import Group, disabled, group
from p2pselect.exceptions import InputError
from p2pselect.training._shares import own_rows, split

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
    [
        *"p2p paper parts comet realx l2x diet stream checkpoint search".split(),
        "early stopping",
    ],
)
def test_two_processes_learn_what_one_does(both, what):
    one, two, _ = both
    assert two["n_processes"] == 2 and one["n_processes"] == 1
    for name, value in one[what].items():
        np.testing.assert_allclose(two[what][name], value, atol=1e-5, err_msg=name)


@needs_gloo
def test_parts_of_a_batch_learn_what_all_of_it_does(both):
    one, _, _ = both
    for name, value in one["p2p"].items():
        np.testing.assert_allclose(one["parts"][name], value, atol=1e-5, err_msg=name)


@needs_gloo
def test_all_processes_have_the_whole_result(both):
    one, two, folder = both
    second = json.loads((folder / "two" / "second.json").read_text())
    assert second["p2p"]["proba"] == two["p2p"]["proba"]
    np.testing.assert_allclose(two["one image"], one["one image"], atol=1e-5)


@needs_gloo
def test_batch_norm_is_the_same_in_all_processes(both):
    _, two, folder = both
    second = json.loads((folder / "two" / "second.json").read_text())
    assert second["batch norm"] == two["batch norm"]
    assert np.isfinite(two["batch norm"]["loss"]).all()


@needs_gloo
def test_a_script_may_have_a_group_of_its_own(both):
    one, two, _ = both
    np.testing.assert_allclose(two["own group"], one["own group"], atol=1e-5)
    assert not two["left behind"]


@needs_gloo
def test_early_stopping_is_decided_together(both):
    one, two, folder = both
    assert len(two["valid_loss"]) == len(one["valid_loss"]) == 2
    np.testing.assert_allclose(two["valid_loss"], one["valid_loss"], atol=1e-5)
    second = json.loads((folder / "two" / "second.json").read_text())
    assert second["valid_acc"] == two["valid_acc"] == pytest.approx(one["valid_acc"])


@needs_gloo
def test_a_search_gives_the_same_scores(both):
    one, two, _ = both
    np.testing.assert_allclose(two["scores"], one["scores"], atol=1e-5)


@needs_gloo
def test_the_model_is_stored_unwrapped_and_whole(both):
    one, two, folder = both
    assert two["module"] == one["module"]
    assert two["alone"] == pytest.approx(np.array(two["batch norm"]["proba"]), abs=1e-6)
    left = [path.name for path in (folder / "two").rglob("*") if path.name.startswith(".")]
    assert left == []
    assert len(list((folder / "two" / "checkpoints").iterdir())) == 1


@needs_gloo
def test_other_images_in_another_process_are_an_error(both):
    one, two, _ = both
    assert one["other images"] == "accepted"
    assert "the images of process 1 differ from those of process 0" in two["other images"]


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


#: The second process is lost at the start of the second epoch; torchrun starts both once more.
LOSES_ONE = """
import json
import os
import sys
from pathlib import Path

from skorch.callbacks import Callback

sys.path.append(sys.argv[1])
from work import estimator, images, target

from p2pselect import P2PClassifier

start, rank = (os.environ[name] for name in ("TORCHELASTIC_RESTART_COUNT", "RANK"))


class Loses(Callback):
    def on_epoch_begin(self, net, **kwargs):
        epoch = len(net.history)
        with Path(f"epochs-{start}").open("a") as file:
            print(epoch, file=file)
        if (start, rank, epoch) == ("0", "1", 2):
            os._exit(1)


clf = estimator(P2PClassifier, training__checkpoint_dir="kept", training__callbacks=[Loses()])
proba = clf.fit(images, target).predict_proba(images)
if rank == "0":
    Path("found.json").write_text(json.dumps(proba.tolist()))
"""


@needs_gloo
@pytest.mark.slow
def test_a_training_goes_on_when_a_process_was_lost(both, tmp_path):
    one, _, _ = both
    script = tmp_path / "loses_one.py"
    script.write_text(LOSES_ONE)
    done = subprocess.run(
        [sys.executable, *TORCHRUN, "--max-restarts", "1", script, WORK.parent],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "epochs-0").read_text().split()[:2] == ["1", "1"]
    # Not from the beginning.
    assert (tmp_path / "epochs-1").read_text().split() == ["2", "2"]
    found = json.loads((tmp_path / "found.json").read_text())
    np.testing.assert_allclose(found, one["p2p"]["proba"], atol=1e-5)


def test_rows_are_dealt_out_evenly():
    parts = [Group(rank, 3).part(8) for rank in range(3)]
    assert [range(8)[part] for part in parts] == [range(3), range(3, 6), range(6, 8)]
    assert Group().part(5) == slice(0, 5)
    assert Group(2, 3).part(1) == slice(1, 1)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 9, 16])
@pytest.mark.parametrize("largest", [None, 1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_parts_of_all_processes_are_the_whole_batch(n, largest, size):
    seen, n_parts, shares = [], set(), []
    for rank in range(size):
        group = Group(rank, size)
        rows = torch.arange(n)[own_rows(group, n)]
        inputs = {"index": rows, "batch_size": torch.full_like(rows, n)}
        parts = list(split((inputs, rows), group, largest))
        n_parts.add(len(parts))
        assert all(len(part.batch[1]) for part in parts)
        seen.append(torch.cat([part.batch[0]["index"] for part in parts]))
        shares += [part.share for part in parts]
        # Batch norm has no statistics of a single image.
        assert min(len(rows), n) >= min(2, n)
    assert len(n_parts) == 1  # each waits for the others in every part
    counts = torch.bincount(torch.cat(seen), minlength=n)
    assert (counts == counts[0]).all() and sum(shares) == pytest.approx(1)


def test_one_process_waits_for_nobody():
    with group() as processes:
        assert processes == Group(0, 1)
    assert Group().gather("a") == ["a"] and Group().broadcast("a") == "a"
    Group().check_same("images", lambda: pytest.fail("asked for nothing"))
    with disabled(), group() as processes:
        assert processes.size == 1


def test_a_worker_process_can_divide_rows():
    copy = pickle.loads(pickle.dumps(Group(1, 2, handle=lambda: None)))
    assert copy == Group(1, 2) and copy.part(4) == slice(2, 4)


def test_processes_that_disagree_name_the_first_that_does(monkeypatch):
    monkeypatch.setattr(Group, "gather", lambda self, value: [value, value, b"other"])
    with pytest.raises(InputError, match="labels of process 2 differ from those of process 0"):
        Group(0, 3).check_same("labels", lambda: 1)
