"""Planning: from a checked sweep file to its trials, their time and their memory."""
