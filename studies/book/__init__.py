"""The demonstrations of the reference textbook, each as one command with the default model."""
