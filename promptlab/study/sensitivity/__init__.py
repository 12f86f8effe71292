"""Sensitivity: how far a prompt's accuracy moves when what it means stays the same."""
