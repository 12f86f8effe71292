"""The search: candidates are fitted in batches and evaluated on dev."""
