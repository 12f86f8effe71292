"""Models: the pinned ones and how they are fetched, loaded and kept."""
