"""Sections of the tab *Failures*: misses listed, looked at, grouped, corrected, exported."""
