"""Runs a sweep: the code of the driver, of which there is one process for each sweep."""
