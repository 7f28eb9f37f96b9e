"""Tandem: autoscaling of LLM fleets that serve prefill and decode on separate GPUs."""

__version__ = "0.1.0"
