"""How good predictions are: their table, metrics, statistics, failures."""
