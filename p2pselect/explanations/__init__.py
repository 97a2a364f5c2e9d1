"""What was shown and predicted, image by image, and every way to look at it."""

from p2pselect.explanations._explanation import Explanation
from p2pselect.explanations._summary import explanation_summary

__all__ = ["Explanation", "explanation_summary"]
