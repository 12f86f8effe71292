"""Templates for a relation, mined from a corpus (Jiang et al. 2020, section 3.1).

`middle_words` and `dependency_path` make a template of a sentence that holds a pair, `wording`
normalises and judges it, `ranking` counts and ranks, `mine` does all of it, `task_document` writes
the result as a file of the template library. `spacy_parser` is the one file that knows spaCy.
"""
