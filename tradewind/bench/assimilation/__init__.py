"""Figures of the assimilation: against PDAF, OOPS and DAPPER, equivalences, a swap, scaling."""
