"""The folder of a saved predictor: its document, its schema, its faults."""
