"""Texts from outside made harmless, and secrets taken out of them."""
