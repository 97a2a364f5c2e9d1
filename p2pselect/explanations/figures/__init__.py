"""Figures of explanations, drawn with matplotlib."""
