"""Strategies: several asks an example, each strategy a predictor that others can wrap."""
