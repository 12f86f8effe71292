"""The study file: what it may hold, and everything that is wrong with one."""
