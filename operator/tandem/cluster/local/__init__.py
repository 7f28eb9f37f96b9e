"""A fleet of local processes: the embedded cluster."""
