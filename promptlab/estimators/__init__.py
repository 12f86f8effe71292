"""Learners with the interface of scikit-learn."""
