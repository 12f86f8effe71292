"""Entries by content hash in a SQLite file, each with a checksum, so that damage is noticed."""

from promptlab.files.entries.entry_file import EntryFile
from promptlab.files.entries.tables import Row

__all__ = ["EntryFile", "Row"]
