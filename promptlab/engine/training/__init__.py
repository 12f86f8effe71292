"""Log-likelihoods with gradients for learned parts."""
