"""The command line on files that are read as they are stored."""

import csv
import io

import numpy as np
import pytest
import tifffile

from p2pselect import load
from p2pselect.cli import main

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


@pytest.mark.parametrize(
    ("write", "said"),
    [
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


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (["--value-range", "9:3"], "must be LOW:HIGH"),
        (["--value-range", "all"], "must be LOW:HIGH"),
        (["--pages", "time"], "must be channels, or the number of a page"),
        (["--channels", "0"], "must be a whole number"),
    ],
)
def test_what_is_said_is_checked(said, message, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["fit", str(tmp_path), *said])
    assert message in capsys.readouterr().err
