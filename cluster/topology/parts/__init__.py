"""The parts of a cluster, each with its command, its variables and its check."""
