"""An engine with vLLM's HTTP surface whose time comes from an EngineProfile, for fleets without GPUs."""
