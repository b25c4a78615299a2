"""What `benchmarks/lanes.py` is made of: sweeps, their runs, and what a processor's record says."""
