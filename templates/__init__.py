"""The template library: one YAML file per task, data only.

Shipped as the package ``promptlab.library`` and read by `promptlab.library`; nothing here is code.
"""
