"""The stack that a skilled user assembles for such a sweep; see ``benchmarks/by_hand.py``."""
