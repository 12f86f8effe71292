"""The trials of a study: queue, history, samplers, pruners."""
