"""Networks that look at one column of cells at a time: what they are, their files, and how they are asked."""
