"""The sections of the playground: the prompt, fill, labels, generate, strategy."""
