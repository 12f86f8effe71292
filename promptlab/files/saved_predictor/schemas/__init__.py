"""The keys and types of saved predictors' documents, family by family."""
