"""A small corpus about capitals, and the pairs that it names."""

from __future__ import annotations

from pathlib import Path

CAPITALS = {
    "Poland": "Warsaw",
    "France": "Paris",
    "Norway": "Oslo",
    "Peru": "Lima",
    "Mexico": "Mexico City",
}
TEMPLATE = "{mask} is the capital city of {country}"
"""The book's mined template for capitals."""


def sentences() -> list[str]:
    """Sentences by hand: how many pairs stand in each wording is given behind it."""
    found = [f"{city} is the capital city of {country}." for country, city in CAPITALS.items()]  # 5
    found += [f"The capital of {c} is {CAPITALS[c]}." for c in ("Poland", "France", "Norway")]  # 3
    found += [f"{c}'s capital, {CAPITALS[c]}, is old." for c in ("Poland", "Peru")]  # 2
    found += ["Oslo is capital city of Norway."] * 2  # like the first one
    found += ["Lima, Peru."] * 4  # no word
    found += ["Paris is not Warsaw, the largest city of Poland or France."]
    return [*found, "The city of Rome is in Italy.", "Poland is flat."]


def write_corpus(folder: Path) -> Path:
    """The sentences, two a line."""
    lines = sentences()
    file = folder / "corpus.txt"
    paired = [" ".join(lines[start : start + 2]) for start in range(0, len(lines), 2)]
    file.write_text("\n".join(paired) + "\n", encoding="utf-8")
    return file


def write_pairs(folder: Path) -> Path:
    """The pairs as a CSV with the columns country and label."""
    file = folder / "capitals.csv"
    rows = [f"{country},{city}" for country, city in CAPITALS.items()]
    file.write_text("\n".join(["country,label", *rows]) + "\n", encoding="utf-8")
    return file
