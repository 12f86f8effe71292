"""Sections of the tab *Failures*."""
