"""Self-consistency (Wang et al., 2022): sampled solutions vote."""
