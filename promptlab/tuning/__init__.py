"""What is learned on a frozen model: vectors, trigger tokens, label words, and fine-tuning."""
