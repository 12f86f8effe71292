"""The only place that runs a network: batching, prefix sharing, slot features, accounting."""
