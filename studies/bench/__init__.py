"""Comparisons with peers: the same work, the same tokens, both sides in one run."""
