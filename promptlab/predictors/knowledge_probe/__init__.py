"""What a model knows: facts asked by prompts, with the controls that tell knowing from learning."""
