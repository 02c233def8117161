"""The loop of a filter: forecasts of an ensemble, analyses, and what is kept of them."""
