"""Fields of files in time: their dates, what a step is given of them, and how they are read."""
