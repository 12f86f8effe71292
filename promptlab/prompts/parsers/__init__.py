"""Parsers: how an answer is read out of a generated reply."""
