"""The sections of the tab Predict: saved prompts over files and texts."""
