"""`tandem explain`: why a plan is as it is, and what would change it."""

from tandem.cli.explain.command import run

__all__ = ["run"]
