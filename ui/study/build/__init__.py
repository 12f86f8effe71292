"""A study before it runs: form and YAML in step, what is wrong with it, what it will cost."""
