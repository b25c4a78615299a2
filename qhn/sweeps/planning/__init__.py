"""From a checked sweep file to its trials, and what they will cost."""
