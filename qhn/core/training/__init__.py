"""Gradient descent: the trainer, its optimisers, its history, and the diagnosis of failures."""
