"""`tandem plan`: how many prefill and decode replicas a load needs, and why."""

from tandem.cli.plan.command import run

__all__ = ["run"]
