"""How good weights are: standard fields, misfits, conservation."""
