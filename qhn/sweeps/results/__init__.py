"""What the trials of a sweep came to."""
