"""Rules of puzzles, without models."""
