"""The sections of the playground."""
