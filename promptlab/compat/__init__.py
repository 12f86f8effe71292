"""What promptlab knows of other libraries' insides: one module a library, checked when used.

Names, signatures and classes that a library may change without a word stand here and nowhere
else, so that a new version breaks one place, loudly.
"""
