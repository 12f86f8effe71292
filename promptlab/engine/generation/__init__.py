"""Text generation: prefill, a running decode batch, sampling, and stop strings."""
