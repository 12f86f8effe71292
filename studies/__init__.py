"""Study files that are ready to run."""
