"""show_versions names what a bug report needs."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from itertools import chain
from pathlib import Path

import torch

import p2pselect

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]


def printed(capsys) -> dict[str, str]:
    p2pselect.show_versions()
    lines = capsys.readouterr().out.splitlines()
    return dict(line.strip().split(": ", 1) for line in lines if ": " in line)


def test_every_dependency_is_named_with_its_version(capsys):
    said = printed(capsys)
    extras = PROJECT["optional-dependencies"]
    of_users = [extras[name] for name in ("app", "plots", "coco", "dicom", "onnx", "runtime")]
    for line in chain(PROJECT["dependencies"], *of_users):
        name = re.match(r"[\w-]+", line).group()
        try:
            assert said[name] == metadata.version(name)
        except metadata.PackageNotFoundError:
            assert said[name] == "not installed"
    assert "pytest" not in said


def test_system_devices_and_threads_are_named(capsys):
    said = printed(capsys)
    assert said["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}")
    assert said["torch threads"] == str(torch.get_num_threads())
    assert said["CUDA"].startswith(f"{torch.version.cuda}: ")


def test_what_is_missing_is_said_to_be_missing(capsys, monkeypatch):
    def version(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    assert printed(capsys)["timm"] == "not installed"


def test_only_the_call_loads_torch():
    program = (
        "from p2pselect import show_versions; import sys; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
