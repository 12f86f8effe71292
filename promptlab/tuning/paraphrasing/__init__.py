"""Templates in other words: by translation there and back, and by a model that rewrites."""
