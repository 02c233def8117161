"""Weather that training samples are made in, besides the analyses."""
