"""What runs in a trial actor: one process, one device, one trial after another."""
