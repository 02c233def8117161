"""What enters through the sides of a transport model's box, and what OH takes on the way."""
