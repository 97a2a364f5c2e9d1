"""The photographs of a folder, looked at one after another while nobody waits for an answer."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

from p2pselect.app._worker import Worker
from p2pselect.explanations import Explanation
from p2pselect.explanations.figures._photographs import photograph
from p2pselect.explanations.report._payload import card_payload, image_file


class Album:
    """Image files by number, and a card of each one that was looked at.

    A card holds what the page needs to filter, to sort and to show a photograph small.  Its
    picture is kept as a file in ``place``, because thousands would fill the memory.
    """

    def __init__(self, files: Sequence[str], names: Sequence[str], truth: Sequence[int]):
        self.files, self.names, self.truth = files, names, truth
        #: In the order in which they were looked at.
        self.seen: list[dict[str, Any]] = []
        self.pictures: dict[str, Path] = {}

    def look_at_all(self, worker: Worker, place: Path) -> None:
        """Let the worker explain all files, later than those that somebody waits for."""
        for number, file in enumerate(self.files):
            future = worker.ask(file, urgent=False)
            future.add_done_callback(partial(self._add, number, place))

    def _add(self, number: int, place: Path, future: Future[Explanation]) -> None:
        if future.cancelled():
            return
        entry: dict[str, Any] = {"number": number, "name": self.names[number]}
        try:
            one = future.result()
            picture = photograph(one, 0)
            kind, content = image_file(picture.pixels)
            file = place / f"{number}.{kind}"
            file.write_bytes(content)
        # Whatever it is: an image that fails must not be missing without a word.
        except Exception as error:
            entry["error"] = " ".join(str(error).split())
        else:
            self.pictures[file.name] = file
            entry |= card_payload(one, picture)
            entry["src"] = f"page/pictures/{file.name}"
            if self.truth:
                entry["truth"] = self.truth[number]
        self.seen.append(entry)
