"""A league: policies x traces x seeds on equal terms, and how far each is from the best there could be."""
