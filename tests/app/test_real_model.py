"""With a model that was trained: the same answers as in Python, and the command itself."""

import base64
import io
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from app.serving import HalfModel, Served, encoded, serving
from PIL import Image

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.app import create_app
from p2pselect.cli import main
from p2pselect.estimators import ImageOptions


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two dozen scenes of two classes, 40 x 40, as files in folders."""
    root = tmp_path_factory.mktemp("photos")
    scenes = datasets.make_digit_scenes(24, image_size=40, random_state=0)
    for i, pixels in enumerate(scenes.images):
        file = root / ("even" if i % 2 else "odd") / f"{i}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(file)
    return root


@pytest.fixture(scope="module")
def trained(photos):
    files, labels = datasets.load_image_folder(photos)
    settings = {**presets.SMALL, "image_size": 32, "max_epochs": 1}
    return P2PClassifier(**settings, random_state=0).fit(files, labels)


def test_answers_are_those_of_the_model(trained, photos):
    files = sorted(photos.rglob("*.png"))[:6]
    exp = trained.explain(files)
    masks = exp.masks_at_original_size()
    with serving(create_app(trained)) as served:
        for i, file in enumerate(files):
            _, said = served.post("/explain", file.read_bytes())
            assert list(said["probabilities"]) == ["even", "odd"]
            np.testing.assert_allclose(
                list(said["probabilities"].values()), exp.proba[i], atol=1e-5
            )
            assert said["prediction"] == exp.predicted[i]
            assert said["answered"] == exp.answered[i]
            assert said["kept_fraction"] == pytest.approx(exp.kept_fraction[i])
            code = said["mask"].partition(",")[2]
            mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(code))))
            np.testing.assert_array_equal(mask, masks[i])


def test_images_that_are_read_as_they_are_stored(tmp_path):
    rng = np.random.default_rng(0)
    stacks = rng.integers(0, 4096, (8, 32, 32, 5), np.uint16)
    clf = P2PClassifier(
        **{**presets.SMALL, "image_size": 32, "max_epochs": 1},
        images=ImageOptions(n_channels=5, value_range=(0, 4095)),
        random_state=0,
    ).fit(stacks, [0, 1] * 4)
    buffer = io.BytesIO()
    np.save(buffer, stacks[0])
    with serving(create_app(clf)) as served:
        status, said = served.post("/predict", buffer.getvalue())
        assert status == 200
        expected = clf.predict_proba(stacks[:1])[0]
        np.testing.assert_allclose(list(said["probabilities"].values()), expected, atol=1e-5)
        status, said = served.post("/predict", encoded(9))
        assert status == 422 and "3 channels" in said["error"]


@pytest.mark.skipif(os.name != "posix", reason="this system is not POSIX")
def test_the_command_answers_and_stops_when_it_is_asked_to(trained, photos, tmp_path):
    trained.save(tmp_path / "digits.model")
    command = [sys.executable, "-m", "p2pselect", "app", str(tmp_path / "digits.model")]
    with subprocess.Popen(
        [*command, str(photos), "--port", "0", "--certainty", ".7"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as program:
        try:
            found = re.fullmatch(
                r"http://127\.0\.0\.1:(\d+)/ \(Ctrl-C stops it\)\n", program.stdout.readline()
            )
            served = Served(int(found[1]))
            assert served.get("/health")[1]["certainty_threshold"] == 0.7
            cards = served.cards(24)
            assert {card["name"] for card in cards} >= {"odd/0.png", "even/1.png"}
            assert {card["truth"] for card in cards} == {0, 1}
            page = served.request("GET", "/")[2].decode()
            assert "<h1>What digits.model saw</h1>" in page
            program.send_signal(signal.SIGINT)
            said, errors = program.communicate(timeout=60)
        finally:
            program.kill()
    assert (program.returncode, said, errors) == (0, "stopped\n", "")


@pytest.fixture
def command(monkeypatch, tmp_path):
    """The command with a stand-in for the model, and a server that ends at once."""
    ran = []

    def run(self, sockets):
        ran.append((self.config, sockets[0].getsockname()[:2]))
        self.started = True

    monkeypatch.setattr("p2pselect.cli._files.load_model", lambda *_: HalfModel())
    monkeypatch.setattr("uvicorn.Server.run", run)
    monkeypatch.chdir(tmp_path)
    return ran


def test_only_this_machine_is_let_in_unless_it_is_said(command, capsys):
    assert main("app x.model --port 0".split()) == 0
    ((config, (host, port)),) = command
    assert host == "127.0.0.1" and not config.access_log or config.log_level == "warning"
    said = capsys.readouterr()
    assert f"http://127.0.0.1:{port}/" in said.out and said.err == ""
    assert main("app x.model --port 0 --host 0.0.0.0".split()) == 0
    assert command[1][1][0] == "0.0.0.0"
    assert "no password" in capsys.readouterr().err


def test_a_port_that_is_taken_is_an_error_in_one_line(command, capsys):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["app", "x.model", "--port", str(port)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and f"--port {port}" in said and "--port 0" in said
    assert main("app x.model --port 0 --host no.such.name.invalid".split()) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert command == []


def test_an_empty_folder_is_an_error(command, capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    assert main("app x.model empty --port 0".split()) == 1
    assert "empty holds no images" in capsys.readouterr().err
    assert main("app x.model missing --port 0".split()) == 1
    assert "missing" in capsys.readouterr().err


def test_a_server_that_does_not_start_is_an_error(command, capsys, monkeypatch):
    monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: None)
    assert main("app x.model --port 0".split()) == 1
    assert "could not be started" in capsys.readouterr().err


def test_the_command_names_what_is_missing(command, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main("app x.model".split()) == 1
    assert 'pip install "p2pselect[app]"' in capsys.readouterr().err
