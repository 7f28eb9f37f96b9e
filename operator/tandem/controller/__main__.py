"""`python -m tandem.controller`: exit 2 for a wrong command line, 1 where it can't work."""

import asyncio
import logging
import sys
from collections.abc import Sequence

from tandem import __version__
from tandem.controller import process
from tandem.controller.logs import configure
from tandem.controller.options import options
from tandem.errors import TandemError


def main(arguments: Sequence[str]) -> int:
    """Run the operator of a command line until a signal ends it; the exit code."""
    given = options(arguments, __version__)
    configure(json_lines=given.json_logs)
    try:
        asyncio.run(process.run(given))
    except TandemError as error:
        logging.getLogger("tandem.controller").error("%s", error)  # noqa: TRY400 - a sentence for a person
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
