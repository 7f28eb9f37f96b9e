"""A discrete-event fleet that drives the real planner and the real routing."""
