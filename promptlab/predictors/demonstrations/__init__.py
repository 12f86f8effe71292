"""Which demonstrations stand in a prompt, in which order and place."""
