"""Other web sites cannot ask: neither under a name of theirs, nor across origins."""

import socket

import pytest
from app.serving import encoded

OURS = [
    "localhost",
    "LOCALHOST:8765",
    "127.0.0.1:8765",
    "192.168.0.7",
    "[::1]",
    "[::1]:8765",
    "photos.example",
    "Photos.example:80",
    socket.gethostname(),
]
OTHERS = [
    "",
    "evil.example",
    "evil.example:8765",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "localhost:8765:1",
    "photos.example.evil.example",
    "[localhost]",
]


@pytest.mark.parametrize("host", OURS)
def test_our_names(served, host):
    assert served.get("/health", Host=host)[0] == 200


@pytest.mark.parametrize("host", OTHERS)
def test_other_names(served, host):
    status, said = served.get("/health", Host=host)
    assert status == 403 and "Host header" in said["error"]
    status, said = served.post("/predict", encoded(0), Host=host)
    assert status == 403 and "Host header" in said["error"]


def test_our_own_page_may_ask(served):
    host = f"localhost:{served.port}"
    for scheme in ("http", "https"):
        status, _ = served.post("/predict", encoded(0), Host=host, Origin=f"{scheme}://{host}")
        assert status == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:1", "http://localhost"]
)
def test_other_pages_may_not(served, origin):
    status, said = served.post(
        "/predict", encoded(0), Host=f"localhost:{served.port}", Origin=origin
    )
    assert status == 403 and "another site" in said["error"]


def test_no_other_site_is_let_in_by_a_header(served):
    asked = {"Access_Control_Request_Method": "POST"}
    answers = [
        served.request("GET", "/"),
        served.request("POST", "/predict", encoded(0)),
        served.request("OPTIONS", "/predict", **asked),
        served.request("GET", "/health", Host="evil.example"),
    ]
    for _, headers, _ in answers:
        assert not [name for name in headers if name.lower().startswith("access-control")]
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert answers[2][0] == 405


def test_a_long_name_is_not_repeated(served):
    _, said = served.get("/health", Host="x" * 5000)
    assert len(said["error"]) < 400
