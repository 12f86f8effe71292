"""What answers examples: classifiers, generators, demonstrations, ensembles."""
