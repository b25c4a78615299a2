"""What `benchmarks/engine.py` compares, and how it takes time."""
