"""Files that are there whole or not at all."""

import numpy as np

from p2pselect.processes import Processes
from p2pselect.whole_files import written_whole


def test_of_several_processes_the_first_one_writes(tmp_path, monkeypatch):
    monkeypatch.setattr("p2pselect.whole_files.together", lambda: Processes(rank=1, size=2))
    # An archive goes back to what it has written, which not every place for it allows.
    with written_whole(tmp_path / "archive.npz", "wb") as file:
        np.savez_compressed(file, values=np.zeros(5))
    with written_whole(tmp_path / "text") as file:
        file.write("text")
    assert not list(tmp_path.iterdir())
