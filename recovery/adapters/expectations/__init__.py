"""Data checks by Great Expectations, in a process of their own, and their report."""
