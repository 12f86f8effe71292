"""Instructions written by a language model: requests, proposals, parents."""
