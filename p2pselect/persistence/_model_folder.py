"""The two files of a saved model: where they lie, and whether they are what they claim."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from p2pselect.exceptions import ModelFileError

FORMAT = 3
WEIGHTS, CONFIG = "model.safetensors", "config.json"
#: A config is settings and class labels: anything larger is not one of ours.
MAX_CONFIG_BYTES = 64 * 2**20


def own_file(path: Path, name: str) -> Path:
    """A file of the folder, which must lie in it."""
    file = path / name
    if not file.is_file():
        raise ModelFileError(f"{path} is not a saved model: it has no {name}")
    if file.resolve().parent != path.resolve():
        raise ModelFileError(
            f"{file} is a link to {file.resolve()}, outside of the model's folder, and a model "
            "reads nothing else: put a copy of the file in its place"
        )
    return file


def read_config(path: Path) -> dict[str, Any]:
    file = own_file(path, CONFIG)
    if file.stat().st_size > MAX_CONFIG_BYTES:
        raise ModelFileError(f"{file} is larger than any config ({file.stat().st_size} bytes)")
    config = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(config, dict) or not isinstance(config.get("format"), int):
        raise ModelFileError(f"{file} is not the config of a p2pselect model")
    if not 1 <= config["format"] <= FORMAT:
        raise ModelFileError(
            f"{file} has format {config['format']}, this version reads up to {FORMAT}: "
            "a newer p2pselect wrote it"
        )
    if config.get("config_sha256") != config_digest(config):
        raise ModelFileError(f"{file} is damaged: its checksum does not fit its content")
    return config


def check_weights(path: Path, config: dict[str, Any]) -> Path:
    """The file of weights, if it is that of the config."""
    file = own_file(path, WEIGHTS)
    if sha256(file) != config["weights_sha256"]:
        raise ModelFileError(f"{file} is damaged or of another model: wrong checksum")
    return file


def sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def config_digest(config: dict[str, Any]) -> str:
    rest = {k: v for k, v in config.items() if k != "config_sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
