"""What is on disk: the cache, atomic writes, JSON and YAML, checksums, settings."""
