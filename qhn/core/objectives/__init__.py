"""What training minimises, and the parts that it is made of."""
