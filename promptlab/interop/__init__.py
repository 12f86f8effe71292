"""Other projects' formats and classes, one file each; nothing here is imported by default."""
