"""Keys and values of what was read: kept across calls and shared between rows."""
