"""Fitted estimators as folders of ``model.safetensors`` and ``config.json``."""

from p2pselect.persistence._saved_models import describe, load, save

__all__ = ["describe", "load", "save"]
