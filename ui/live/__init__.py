"""Studies as they run and when they are decided."""
