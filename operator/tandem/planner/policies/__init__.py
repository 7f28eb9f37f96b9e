"""Scaling policies: one small file each, one table."""
