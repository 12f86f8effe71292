"""The tab *Study*: built, run, watched, read, compared over time."""
