"""An engine with vLLM's HTTP surface whose time comes from a profile, for fleets without GPUs."""
