"""The limit of pixels, on the command line."""

import pytest
from PIL import Image

from p2pselect.cli import main


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_the_limit_can_be_raised(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    Image.new("RGB", (40, 30)).save(tmp_path / "scan.png")
    command = ["regions", str(tmp_path / "scan.png"), "--out", str(tmp_path / "out")]
    command += ["--image-size", "16"]
    assert main(command) == 1
    assert "= 1000" in (said := capsys.readouterr().err) and "--max-pixels" in said
    assert main([*command, "--max-pixels", "1200"]) == 0
    assert (tmp_path / "out").is_dir()


@pytest.mark.parametrize("number", ["0", "-5", "many"])
def test_a_limit_is_a_positive_number(number, capsys, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(SystemExit) as stopped:
        main(["regions", "x.png", "--out", "x", "--max-pixels", number])
    assert stopped.value.code == 2 and "--max-pixels" in capsys.readouterr().err
    assert Image.MAX_IMAGE_PIXELS == 1000
