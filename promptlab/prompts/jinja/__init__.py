"""Jinja in a sandbox, with limits on what one rendering may do.

`sandbox` is the environment: nothing outside is reached, and every step is counted and timed.
`compiler` compiles to calls of it, `limits` counts, `value_size` and `result_size` say how large a
value is or would be. `render` makes a prompt's segments of a template, `patterns` searches by
regular expressions, `isolated` does both apart from this process where others are served.
"""
