"""Figures of exchanges in time: budgets, derivatives, restarts, memory and what the loop itself costs."""
