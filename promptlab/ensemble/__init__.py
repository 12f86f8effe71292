"""Several predictors as one."""
