"""The Python interface of sweeps: run a sweep, read its results, and load a trained circuit.

All public names are also names of the package `qhn`, which imports these modules at first use.
"""
