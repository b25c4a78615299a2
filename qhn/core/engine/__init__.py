"""Exact simulation of variational circuits, in compiled passes over the state."""
