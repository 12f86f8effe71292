"""Sections of the tab *Library*: a template looked at, edited, saved, imported, exported."""
