"""The code that runs in a trial actor: one process with one device, one trial after another."""
