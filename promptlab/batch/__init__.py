"""Saved predictors over whole files: what goes in, block by block, and what comes out."""
