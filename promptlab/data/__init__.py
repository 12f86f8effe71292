"""Labelled examples: tasks, splits, columns, data sets, and readers of files."""
