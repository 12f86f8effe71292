"""Selection on dev, one look at test, controls, comparisons, and the verdict."""
