"""The real engine: what a vLLM process of a fleet is told, and how it is started."""
