"""`tandem league`: policies on equal terms, and how far from the best; the command is `command.run`."""

from tandem.cli.league.command import run

__all__ = ["run"]
