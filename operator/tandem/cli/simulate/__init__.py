"""`tandem simulate`: what a fleet would have done; the command itself is `command.run`."""

from tandem.cli.simulate.command import run

__all__ = ["run"]
