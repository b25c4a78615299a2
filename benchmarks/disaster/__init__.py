"""What `benchmarks/chaos.py` consists of: a sweep, a cluster on this machine, kills, a verdict."""
