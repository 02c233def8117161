"""Networks compiled ahead of time into one file that runs without Python."""
