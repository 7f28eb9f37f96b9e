"""Requests over time: readers of every format, scaling, and the built-in generator."""
