"""The parts of what a sweep does, each measured alone; see ``benchmarks/overhead.py``."""
