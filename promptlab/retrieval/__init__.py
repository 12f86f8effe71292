"""Finding texts near a text: by words (BM25) or by the model's own vectors."""
