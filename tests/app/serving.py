"""A stand-in for a model, and a server that runs in a thread, with a plain client."""

import io
import json
import socket
import threading
import time
from contextlib import contextmanager
from http.client import HTTPConnection

import numpy as np
import uvicorn
from PIL import Image

from p2pselect.explanations import Explanation
from p2pselect.images import as_images


class HalfModel:
    """Keeps the left half of an image; its answer is how bright the image is.

    It counts what it is asked, and may take a while.
    """

    n_channels_in_ = n_channels_seen_ = 3
    batch_size = 16

    def __init__(self, seconds=0.0):
        self.seconds, self.batches, self.fault = seconds, [], None

    def _meaning(self, fitted):
        return {}

    def explain(self, X):
        if self.fault is not None:
            raise self.fault
        images = as_images(X)
        copies = images.batch(slice(None), (32, 32), "stretch")
        self.batches.append(len(images))
        time.sleep(self.seconds)
        bright = copies[:, :, :, 0].mean(axis=(1, 2), dtype=np.float32) / 255
        n = len(images)
        return Explanation(
            images=copies,
            regions=np.tile((np.arange(32) >= 16).astype(np.int32), (n, 32, 1)),
            region_masks=np.tile([True, False], (n, 1)),
            selection_logits=np.tile(np.float32([1, -1]), (n, 1)),
            selection_probs=np.tile(np.float32([0.9, 0.1]), (n, 1)),
            tau=np.full(n, 0.5),
            proba=np.stack([bright, 1 - bright], axis=1),
            classes=np.array(["bright", "dark"]),
            answered=np.maximum(bright, 1 - bright) >= 0.8,
            certainty_threshold=0.8,
            original_sizes=images.sizes(),
            resize="stretch",
            originals=images,
        )


class Served:
    """What is served at an address of this machine."""

    def __init__(self, port):
        self.port, self.url = port, f"http://127.0.0.1:{port}/"

    def request(self, method, path, body=None, **headers):
        """Status, headers and content of an answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, names)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def post(self, path, body, **headers):
        """Status and JSON of an answer to a body."""
        status, _, content = self.request("POST", path, body, **headers)
        return status, json.loads(content)

    def get(self, path, **headers):
        """Status and JSON of an answer."""
        status, _, content = self.request("GET", path, **headers)
        return status, json.loads(content)

    def cards(self, count):
        """The cards of the folder, once this many have appeared."""
        end = time.monotonic() + 60
        while len(cards := self.get("/page/cards/0")[1]) < count:
            assert time.monotonic() < end, f"{len(cards)} of {count} cards after a minute"
            time.sleep(0.02)
        return cards


@contextmanager
def serving(app):
    """Serve an application until the end of the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield Served(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def encoded(level, size=(60, 40), kind="png"):
    """An image file of one gray level; size is width and height."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (level,) * 3).save(buffer, kind)
    return buffer.getvalue()
