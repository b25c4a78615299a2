"""A thousand trials that only sleep, for a real driver; see ``benchmarks/capacity.py``."""
