"""Studies that wait and the one that runs."""
