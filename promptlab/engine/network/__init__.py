"""The network itself, and what was found out about it by trying."""
