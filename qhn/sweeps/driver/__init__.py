"""What runs in the driver: the process that a person started, one for each sweep."""
