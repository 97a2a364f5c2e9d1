"""A served model, whose temporary files can be looked at."""

import pytest
from app.serving import HalfModel, serving

from p2pselect.app import create_app


@pytest.fixture
def inbox(tmp_path, monkeypatch):
    """Where temporary folders are made."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    return place


@pytest.fixture
def model():
    return HalfModel()


@pytest.fixture
def served(model, inbox):
    """An app without a folder that takes files of up to 100 kB."""
    with serving(create_app(model, hosts=["photos.example"], max_bytes=100_000)) as found:
        yield found
