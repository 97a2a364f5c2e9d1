"""Records are whole or absent, and a folder is one run."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from p2pselect.exceptions import InputError
from p2pselect.reproduction import Cell, Record, Records, Row, read_csv, write_csv

CELL = Cell("digit_scenes", "p2p", "default", 3)
SCORES = {"default": {"accuracy": 0.5, "tau": 0.1}, "matched": {"accuracy": 0.25}}


def test_what_is_written_is_read(tmp_path):
    records = Records(tmp_path)
    assert records.read(CELL) is None and records.all() == [] and records.rows() == []
    records.write(Record(CELL, SCORES, {"seconds": 1.5}))
    assert records.read(CELL) == Record(CELL, SCORES, {"seconds": 1.5})
    assert records.rows()[2] == Row("digit_scenes", "p2p", 3, "matched", "accuracy", 0.25)


def test_a_score_that_is_not_defined_is_null_on_disk_and_nan_here(tmp_path):
    records = Records(tmp_path)
    records.write(Record(CELL, {"default": {"accuracy": float("nan"), "tau": 0.1}}))
    (file,) = records.cells_folder.iterdir()
    content = json.loads(file.read_text(), parse_constant=pytest.fail)
    assert content["scores"] == {"default": {"accuracy": None, "tau": 0.1}}
    undefined, tau = records.rows()
    assert undefined.value != undefined.value and tau.value == 0.1


def test_a_failure_is_a_record_without_rows(tmp_path):
    records = Records(tmp_path)
    records.write(Record(CELL, error="Traceback ..."))
    assert records.read(CELL).failed
    assert records.rows() == []


def test_half_written_files_are_no_records(tmp_path):
    records = Records(tmp_path)
    records.write(Record(CELL, SCORES))
    (records.cells_folder / ".digit_scenes.p2p.default.4.json.12.part").write_text('{"for')
    assert [record.cell for record in records.all()] == [CELL]


WRITER = """
import sys
from p2pselect.reproduction import Cell, Record, Records
records = Records(sys.argv[1])
print("begin", flush=True)
for n in range(10**9):
    scores = {str(k): {"accuracy": n} for k in range(2000)}
    records.write(Record(Cell("d", "p2p", "default", n % 3), scores))
"""


@pytest.mark.skipif(os.name != "posix", reason="this system is not POSIX")
def test_a_writer_killed_at_any_point_leaves_whole_records(tmp_path):
    for wait in (0.06, 0.13):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE
        )
        assert writer.stdout.readline() == b"begin\n"
        time.sleep(wait)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        for record in Records(tmp_path).all():
            assert len(record.scores) == 2000


def test_a_folder_is_of_one_run(tmp_path):
    records = Records(tmp_path)
    records.begin({"scale": {"name": "small", "n": (1, 2)}, "started": "now"})
    records.begin({"scale": {"name": "small", "n": (1, 2)}, "started": "later"})
    assert records.about()["started"] == "now"
    records.begin({"scale": {"name": "small", "more": 5}, "started": "later"})
    assert records.about()["scale"] == {"name": "small", "n": [1, 2], "more": 5}
    with pytest.raises(InputError, match=r"other settings \(different: n\)"):
        records.begin({"scale": {"name": "small", "n": (1, 3)}, "started": "later"})


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(InputError, match="holds no run"):
        Records(tmp_path).about()


def test_a_newer_format_is_refused(tmp_path):
    records = Records(tmp_path)
    records.write(Record(CELL, SCORES))
    file = records.cells_folder / f"{CELL.key}.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 99}))
    with pytest.raises(InputError, match="format 99"):
        records.all()


def test_long_form_and_back(tmp_path):
    rows = [Row("d", "p2p", 0, "default", "accuracy", 0.123457), Row("d", "c", 1, "", "a", 1.0)]
    write_csv(rows, tmp_path / "new" / "all.csv")
    assert read_csv(tmp_path / "new" / "all.csv") == rows
    head = (tmp_path / "new" / "all.csv").read_text().splitlines()[0]
    assert head == "dataset,method,seed,setting,metric,value"


def test_a_table_with_other_columns(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="must have the columns dataset, method"):
        read_csv(tmp_path / "x.csv")
