"""Sections of the tab *Compare*: what is compared, the grid, pairs, and edited answers."""
