"""The contenders that `benchmarks/engine.py` compares, and the code that times them."""
