"""Models behind an OpenAI-compatible endpoint: vLLM, ``transformers serve``, or hosted."""
