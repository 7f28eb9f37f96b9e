"""What an engine's time costs: profiles, step-time models, fits, the iteration-level engine."""
