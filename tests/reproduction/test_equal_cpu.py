"""As many epochs as take the CPU time of P2P: found once, written down, and used."""

import json

import pytest

from p2pselect.methods import BlackboxClassifier
from p2pselect.reproduction import Trial, Variant, run_suite
from p2pselect.reproduction import _equal_cpu as equal_cpu
from p2pselect.reproduction._equal_cpu import epochs_within
from p2pselect.reproduction._suite import BLACKBOX, P2P


@pytest.mark.parametrize("constant", [0.0, 5.0])
@pytest.mark.parametrize("each", [0.5, 2.0, 7.0])
def test_epochs_fill_the_time(constant, each):
    def takes(n):
        return constant + each * n

    found = epochs_within(20.0, takes(1), takes(14), 14)
    assert found >= 1
    # No other number of epochs is nearer.
    gaps = [abs(takes(n) - 20.0) for n in range(1, 60)]
    assert gaps[found - 1] == pytest.approx(min(gaps))


def test_what_cannot_be_measured_gets_as_many():
    assert epochs_within(20.0, 1.0, 0.99, 14) == 14


@pytest.fixture
def clock(monkeypatch):
    """Time passes in training only: 10 s an epoch of P2P, 4 s one of a black box."""
    now, trainings = [0.0], []

    def tell(cls, seconds):
        fit = cls.fit

        def slow(self, X, y):
            now[0] += seconds * self.max_epochs
            trainings.append((cls.__name__, self.max_epochs, len(X)))
            return fit(self.set_params(max_epochs=0), X, y)

        monkeypatch.setattr(cls, "fit", slow)

    tell(P2P.estimator_class, 10.0)
    tell(BlackboxClassifier, 4.0)
    monkeypatch.setattr(equal_cpu.time, "process_time", lambda: now[0])
    monkeypatch.setattr(equal_cpu, "N_IMAGES", 16)
    return trainings


def test_epochs_are_measured_once_and_written_down(clock, make_suite, table, tmp_path):
    suite = make_suite(
        P2P, BLACKBOX, equal_cpu=True, epochs={"p2p": 6, "blackbox": 6}, seeds=(0, 1), tau=0.3
    )
    run_suite(suite, tmp_path, dataset_table=table, seeds=[0], methods=["blackbox"])
    # P2P is timed after a training that counts for nothing; then the methods, twice.
    timed = [("P2PClassifier", 1, 16), ("P2PClassifier", 6, 16)]
    timed += [("BlackboxClassifier", n, 16) for n in (1, 6)]
    assert clock[:4] == timed
    assert sorted(n for _, n, size in clock[4:]) == [6, 15]
    file = tmp_path / "equal_cpu" / "tiny.blackbox.json"
    found = json.loads(file.read_text())
    assert found["epochs"] == 15 and found["p2p_cpu_seconds"] == 60
    # Another seed, later: nothing is timed again, and what is written counts.
    file.write_text(json.dumps({**found, "epochs": 9}))
    clock.clear()
    store = run_suite(suite, tmp_path, dataset_table=table, methods=["blackbox"])
    assert sorted(n for _, n, _ in clock) == [6, 9]
    result = store.read(Trial("tiny", "blackbox", "equal_cpu", 1))
    assert not result.failed and "accuracy" in result.scores["equal_cpu"]


def test_what_cannot_be_timed_fails_alone(clock, make_suite, table, tmp_path):
    class Broken(BlackboxClassifier):
        def fit(self, X, y):
            raise ZeroDivisionError("on purpose")

    broken = Variant("broken", group="blackbox", estimator=Broken)
    suite = make_suite(broken, BLACKBOX, equal_cpu=True, tau=0.3)
    store = run_suite(suite, tmp_path, dataset_table=table)
    failed = {result.trial.key for result in store.results() if result.failed}
    assert failed == {"tiny.broken.default.0", "tiny.broken.equal_cpu.0"}
    error = store.read(Trial("tiny", "broken", "equal_cpu", 0)).error
    assert "on purpose" in error and "in fit" in error


def test_methods_that_learn_from_a_black_box_can_be_timed(
    make_suite, table, tmp_path, monkeypatch
):
    monkeypatch.setattr(equal_cpu, "N_IMAGES", 16)
    suite = make_suite(Variant("comet1"), equal_cpu=True, tau=0.3)
    store = run_suite(suite, tmp_path, dataset_table=table)
    assert not any(result.failed for result in store.results())
    assert (tmp_path / "equal_cpu" / "tiny.comet1.json").is_file()


def test_methods_are_timed_with_the_weights_of_the_run(
    make_suite, table, tmp_path, monkeypatch
):
    seen = []
    for cls in (P2P.estimator_class, BlackboxClassifier):
        monkeypatch.setattr(cls, "fit", lambda self, X, y: seen.append(self.pretrained))
    suite = make_suite(BLACKBOX, equal_cpu=True, tau=0.3, settings={"pretrained": "auto"})
    run_suite(suite, tmp_path / "run", weights=tmp_path, dataset_table=table)
    assert (tmp_path / "run" / "equal_cpu" / "tiny.blackbox.json").is_file()
    assert len(seen) > 4 and set(seen) == {str(tmp_path)}
