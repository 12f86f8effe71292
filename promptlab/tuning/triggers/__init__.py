"""Discrete trigger tokens found by gradient: one search, three ways to propose candidates."""
