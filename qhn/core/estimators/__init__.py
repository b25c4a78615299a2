"""How value and gradient of an objective are had at given angles."""
