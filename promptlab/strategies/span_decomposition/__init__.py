"""Tagging by one prompt a span of words."""
