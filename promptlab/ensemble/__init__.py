"""Several predictors together: votes, means, cascades, and what is distilled from them."""
