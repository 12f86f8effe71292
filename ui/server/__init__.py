"""What stands between the page and whoever asks: limits, headers, faults."""
