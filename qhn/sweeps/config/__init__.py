"""The configuration of a trial, its identity, and the objects of core that are built from it."""
