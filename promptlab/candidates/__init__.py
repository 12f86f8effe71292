"""Kinds of candidates: each declares its dimensions, and fits candidates into predictors."""
