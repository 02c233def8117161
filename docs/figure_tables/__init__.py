"""Tables of the pages, made from the benchmarks' figures, by what they are about."""
