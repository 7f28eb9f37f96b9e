"""The three queues in tandem: prefill, KV link, decode."""
