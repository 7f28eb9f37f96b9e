"""The custom resources as frozen pydantic models, and the words all layers share."""
