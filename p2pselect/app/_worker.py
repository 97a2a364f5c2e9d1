"""One thread that alone uses the model: what arrives at about the same time is one batch."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Condition, Thread

from p2pselect.explanations import Explanation

#: As many images that nobody waits for make a batch, so that those who come do not wait long.
_UNHURRIED = 8


class Worker:
    """Explains image files, one batch at a time.

    The first image of a batch waits ``patience`` seconds for others, up to ``batch_size``.
    Images that nobody waits for are explained while no request is waiting.
    """

    def __init__(
        self,
        explain: Callable[[Sequence[str]], Explanation],
        batch_size: int,
        patience: float,
    ):
        self._explain, self._batch_size, self._patience = explain, batch_size, patience
        self._urgent: deque[tuple[str, Future[Explanation]]] = deque()
        self._others: deque[tuple[str, Future[Explanation]]] = deque()
        self._changed = Condition()
        self._stopped = False
        self._thread = Thread(target=self._work, name="p2pselect", daemon=True)
        self.n_images = 0
        self.n_batches = 0

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer those who wait, forget the others, and end."""
        with self._changed:
            self._stopped = True
            for _, future in self._others:
                future.cancel()
            self._others.clear()
            self._changed.notify()
        self._thread.join()

    def ask(self, file: str, *, urgent: bool = True) -> Future[Explanation]:
        """Queue a file; the result is the explanation of this image alone."""
        future: Future[Explanation] = Future()
        with self._changed:
            (self._urgent if urgent else self._others).append((file, future))
            self._changed.notify()
        return future

    def _work(self) -> None:
        while self._urgent or not self._stopped:
            self._answer(self._next())

    def _next(self) -> list[tuple[str, Future[Explanation]]]:
        """The next batch, without those who no longer wait; maybe an empty one."""
        with self._changed:
            self._changed.wait_for(lambda: self._urgent or self._others or self._stopped)
            if not self._urgent:
                return _taken(self._others, min(_UNHURRIED, self._batch_size))
            end = time.monotonic() + self._patience
            while len(self._urgent) < self._batch_size and not self._stopped:
                if not self._changed.wait(max(0.0, end - time.monotonic())):
                    break
            return _taken(self._urgent, self._batch_size)

    def _answer(self, batch: list[tuple[str, Future[Explanation]]]) -> None:
        if not batch:
            return
        try:
            explained = self._explain([file for file, _ in batch])
        except Exception as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
            # One image that cannot be used must not take the answers from the others.
            for one in batch if len(batch) > 1 else []:
                self._answer([one])
            return
        self.n_batches += 1
        self.n_images += len(batch)
        for number, (_, future) in enumerate(batch):
            future.set_result(explained[number])


def _taken(
    queue: deque[tuple[str, Future[Explanation]]], most: int
) -> list[tuple[str, Future[Explanation]]]:
    taken = [queue.popleft() for _ in range(min(most, len(queue)))]
    return [(file, future) for file, future in taken if future.set_running_or_notify_cancel()]
