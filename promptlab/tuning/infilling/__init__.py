"""Templates that a language model fills in around training examples and their answers."""
