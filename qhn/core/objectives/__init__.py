"""The objectives that training minimises, and the parts that they are made of."""
