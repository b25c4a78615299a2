"""How good networks, and distributions over them, are on given points."""
