"""The science: circuits, binary networks, objectives and training, in NumPy and Numba only."""
