"""A study's folder: what is in it, who may write to it, and whether it fits the study."""
