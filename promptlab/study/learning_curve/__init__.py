"""Learning curves: methods by sizes by seeds."""
