"""The handles of the device ``pennylane``: any installed device of PennyLane.

Nothing outside this package imports PennyLane.
"""
