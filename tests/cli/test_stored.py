"""The command line on files that are read as they are stored."""

import csv
import importlib.util
import io

import numpy as np
import pytest
import tifffile
from dicom_files import write_dicom
from PIL import Image

from p2pselect import load
from p2pselect.cli import main
from p2pselect.images import as_images

RNG = np.random.default_rng(0)


def _folder(root, write):
    for kind, level in (("dim", 600), ("bright", 2400)):
        (root / kind).mkdir(parents=True)
        for number in range(6):
            values = RNG.integers(300, 500, (24, 24, 2)).astype(np.uint16)
            values[4:14, 6:16, 1] += level
            write(root / kind / str(number), values)
    return root


def _bands(path, values):
    tifffile.imwrite(f"{path}.tif", values, photometric="minisblack", planarconfig="contig")


def _pages(path, values):
    tifffile.imwrite(f"{path}.tif", np.moveaxis(values, -1, 0), photometric="minisblack")


def _files(path, values):
    tifffile.imwrite(f"{path}_one.tif", values[..., 0], photometric="minisblack")
    tifffile.imwrite(f"{path}_two.tif", values[..., 1], photometric="minisblack")


def _numpy(path, values):
    np.save(f"{path}.npy", values)


def _dicom(path, values):
    window = {"WindowCenter": 1500, "WindowWidth": 3000}
    write_dicom(f"{path}.dcm", np.ascontiguousarray(np.moveaxis(values, -1, 0)), **window)


needs_pydicom = pytest.mark.skipif(
    importlib.util.find_spec("pydicom") is None, reason="pydicom is not installed"
)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        pytest.param(
            _dicom, ["--pages", "channels", "--value-range", "window"], marks=needs_pydicom
        ),
        (_bands, ["--value-range", "0:4095"]),
        (_pages, ["--pages", "channels", "--value-range", "0:4095"]),
        (_files, ["--channel-files", "_one,_two", "--value-range", "dtype"]),
        (_numpy, ["--value-range", "percentiles"]),
    ],
)
def test_a_model_reads_new_files_as_those_of_its_training(
    write, said, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    folder = _folder(tmp_path / "cells", write)
    fit = ["fit", str(folder), "--channels", "2", *said, "--epochs", "1", "--seed", "0"]
    assert main([*fit, "--preset", "small", "--image-size", "24"]) == 0
    model = load("cells.model")
    assert model.n_channels_seen_ == 2 and model.value_range_ is not None
    capsys.readouterr()
    assert main(["predict", "cells.model", str(folder)]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 12
    assert main(["evaluate", "cells.model", str(folder)]) == 0
    assert "n_images                 12" in capsys.readouterr().out
    assert main(["info", "cells.model"]) == 0
    assert "with 2 channels" in capsys.readouterr().out


def test_the_constants_of_channels_are_those_that_are_asked_for(tmp_path):
    folder, model = _folder(tmp_path / "cells", _bands), tmp_path / "cells.model"
    said = ["--channels", "2", "--value-range", "0:4095", "--epochs", "1", "--seed", "0"]
    fit = ["fit", str(folder), "--out", str(model), "--preset", "small", *said]
    assert main([*fit, "--normalization", "measured"]) == 0
    clf = load(model)
    files = sorted(folder.glob("*/*.tif"))
    seen = as_images(files, n_channels=2, value_range=(0, 4095)).batch(slice(None))
    np.testing.assert_allclose(clf.normalization_[0], seen.mean(axis=(0, 1, 2)), rtol=1e-4)
    assert main([*fit, "--overwrite"]) == 0
    assert load(model).normalization_ is None


@pytest.mark.parametrize(
    ("shown", "colors"),
    [
        ([], {0: (1, 1, 1)}),
        (["--display-channels", "1"], {1: (1, 1, 1)}),
        (["--display-channels", "1:magenta,0:green"], {1: (1, 0, 1), 0: (0, 1, 0)}),
    ],
)
def test_regions_of_channels_are_drawn_on_those_that_are_shown(shown, colors, tmp_path):
    folder = _folder(tmp_path / "cells", _bands)
    said = ["--channels", "2", "--value-range", "0:4095"]
    out = ["--out", str(tmp_path / "out"), "--segments", "9"]
    assert main(["regions", str(folder / "dim"), *out, *said, *shown]) == 0
    drawn = np.asarray(Image.open(tmp_path / "out" / "0.png")).astype(int)
    images = as_images([folder / "dim" / "0.tif"], n_channels=2, value_range=(0, 4095))
    seen = images.batch([0], drawn.shape[:2])[0]
    expected = sum(255 * seen[..., c, None] * np.array(color) for c, color in colors.items())
    is_line = (drawn == (255, 255, 0)).all(axis=2)
    assert 0.01 < is_line.mean() < 0.3
    found = drawn[~is_line]
    np.testing.assert_allclose(found, expected[~is_line], atol=1)


def test_channels_that_are_not_there_cannot_be_shown(tmp_path, capsys):
    folder = _folder(tmp_path / "cells", _bands)
    said = ["--channels", "2", "--value-range", "0:4095", "--display-channels", "2"]
    assert main(["regions", str(folder), "--out", str(tmp_path / "out"), *said]) == 1
    assert "one or three of the channels 0 to 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (["--value-range", "9:3"], "must be LOW:HIGH"),
        (["--value-range", "all"], "must be LOW:HIGH"),
        (["--pages", "time"], "must be channels, or the number of a page"),
        (["--channels", "0"], "must be a whole number"),
        (["--display-channels", "1,2"], "must be one or three numbers of channels"),
        (["--display-channels", "red"], "must be one or three numbers of channels"),
        (["--display-channels", "0:red,1"], "or any with a color each"),
    ],
)
@pytest.mark.parametrize("command", [["fit", "DIR"], ["regions", "DIR", "--out", "o"]])
def test_what_is_said_is_checked(command, said, message, capsys):
    with pytest.raises(SystemExit):
        main([*command, *said])
    assert message in capsys.readouterr().err
