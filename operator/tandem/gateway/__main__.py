"""`python -m tandem.gateway`: exit 2 for a wrong command line, 1 for a port in use."""

import logging
import sys
from collections.abc import Sequence

from tandem.errors import InvalidInputError
from tandem.gateway import options, server


def main(arguments: Sequence[str]) -> int:
    """Run the gateway of a command line; the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        settings = options.settings(arguments)
    except InvalidInputError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return server.run(settings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
