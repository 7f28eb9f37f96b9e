"""The only I/O with a cluster and with metrics, behind two ports."""
