"""Decided studies side by side: how the numbers moved, and what was changed between two."""
