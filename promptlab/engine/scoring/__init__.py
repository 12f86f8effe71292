"""Log-probabilities of continuations, batched by family of models."""
