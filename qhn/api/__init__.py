"""What a Python program sees of sweeps: run them, read their results, get a trained circuit back.

All public names are in `qhn` itself, which loads these modules when they are first used.
"""
