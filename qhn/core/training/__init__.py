"""Gradient descent: the trainer, its optimisers, its history and what that shows."""
