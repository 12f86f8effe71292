"""Large texts that are read as a stream: their sentences, and which of them hold which entities.

`reader` reads the documents of a file, `sentences` divides them, `entity_pairs` are what is looked
for, `entity_matcher` finds them, `index` keeps the sentences that hold both entities of a pair.
"""
