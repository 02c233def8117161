"""Analyses place by place: which observations are near, what they weigh, and what they change."""
