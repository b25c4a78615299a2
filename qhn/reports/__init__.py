"""What the results of sweeps say: comparisons, aggregates and choices, as pure functions."""
