"""What one trial is: its configuration, its identity, and what core builds from it."""
