"""The methods that P2P is compared with, under its own interface."""

from p2pselect.baselines.blackbox import BlackboxClassifier

__all__ = ["BlackboxClassifier"]
