"""What runs in an engine pod: the emulator and, later, the launcher beside vLLM."""
