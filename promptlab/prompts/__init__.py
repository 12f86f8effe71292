"""Text in, text out, no model: templates, prompts, verbalizers, parsers, decoding."""
