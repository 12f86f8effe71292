"""Jinja in which whatever a template does goes through one gate that counts and times it.

`meter` holds what one rendering may still do, `sizes` says how large a value is, `growth` foresees
what would be huge, `environment` is the sandbox, `generator` compiles to calls of its gate.
"""
