"""Charts of a study's search, drawn while it runs and when it is decided."""
