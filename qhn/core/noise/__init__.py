"""Depolarising noise, simulated exactly trajectory by trajectory on the engine for pure states."""
