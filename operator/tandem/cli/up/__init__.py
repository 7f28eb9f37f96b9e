"""`tandem up`: a whole fleet on this machine; the command itself is `command.run`."""

from tandem.cli.up.command import run

__all__ = ["run"]
