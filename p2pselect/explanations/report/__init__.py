"""Explanations as web pages."""
