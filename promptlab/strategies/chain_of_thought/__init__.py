"""Chain of thought (Wei et al., 2022; Kojima et al., 2022; Zhang et al., 2022)."""
