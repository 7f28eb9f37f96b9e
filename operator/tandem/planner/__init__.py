"""Decisions: observation -> plan. Pure; the clock is an argument."""
