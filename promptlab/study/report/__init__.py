"""The report of a study, and results in sentences."""
