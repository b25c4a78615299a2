"""The results of a sweep: as rows, as curves, and as statistics of groups over seeds."""
