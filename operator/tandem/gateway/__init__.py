"""The HTTP process in front of a fleet."""
