"""The parts of a sweep, each of which is measured alone; see ``benchmarks/overhead.py``."""
