"""What the views of a trained model are called that are scored, and what the scores are."""

from __future__ import annotations

from p2pselect.reproduction._suite import DEFAULT

#: Views of a model: binary masks of the kept fraction that all methods share; and one tau for
#: all images, which keeps as much on average as P2P's search does.
MATCHED, FIXED = "matched", "fixed"
#: The second fixed tau of the paper's figure 4.
STRONG_TAU = 0.2


def at_threshold(delta: float) -> str:
    """The view at a certainty threshold: ``delta=080``."""
    # Always three digits, so that names sort as their thresholds do.
    return f"delta={round(100 * delta):03d}"


def threshold_of(view: str) -> float:
    """The certainty threshold, or tau, in the name of a view: 0.8 of ``delta=080``."""
    return int(view.rpartition("=")[2]) / 100


def at_kept(delta: float) -> str:
    """The view with one tau for all images that keeps as much as a certainty threshold does."""
    return f"{FIXED}-{at_threshold(delta)}"


def at_tau(tau: float) -> str:
    """The view with one tau for all images: ``tau=020``."""
    return f"tau={round(100 * tau):03d}"


def view_of(setting: str, view: str) -> str:
    """The name that scores are filed under: that of the view alone for the default setting."""
    if not view:
        return setting
    return view if setting == DEFAULT else f"{setting}:{view}"


def curve_point(curve: str, fraction: float) -> str:
    """The metric of one point of a curve: ``insertion@0.05``."""
    return f"{curve}@{fraction:.2f}"


def on_thing(metric: str, thing: str) -> str:
    """A score of where masks lie, on something other than the evidence: ``…_on_leaf``."""
    return f"{metric}_on_{thing}"
