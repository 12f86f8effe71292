"""Hostile inputs for every surface of promptlab that reads what others wrote.

``python -m tests.fuzz.run SURFACE --attempts 5000`` runs one by hand; ``test_fuzz.py`` runs all of
them bounded. A surface is a file here with a function ``attempts(rng, folder)`` that yields labels
and callables; the harness runs those in a child process and counts what must not happen.
"""
