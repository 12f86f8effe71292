"""Sections of the tab *Library*."""
