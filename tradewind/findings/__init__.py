"""What an inversion has found, as its outputs tell it."""
