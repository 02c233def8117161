"""Components, what crosses their boundaries, and when."""
