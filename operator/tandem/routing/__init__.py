"""Decisions: request + pods -> choice. Pure; the simulator and the gateway call the same."""
