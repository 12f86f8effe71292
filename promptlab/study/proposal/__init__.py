"""A study proposed for a labelled file."""
