"""Free ports on loopback."""

import socket

from tandem.errors import InvalidInputError

LOOPBACK = "127.0.0.1"
MOST = 65535


def free_port() -> int:
    """A port that nobody listens on now; another may take it before we do, then the start is tried anew."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        return int(listener.getsockname()[1])


def require_free(port: int, field: str = "--port") -> int:
    """The port itself, or an error that says it is taken."""
    if not 0 <= port <= MOST:
        raise InvalidInputError(field, port, f"0 to {MOST}, and 0 is any free one")
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError as error:
            reason = error.strerror or str(error)
            allowed = f"a free port ({reason.lower()}), or 0 for any"
            raise InvalidInputError(field, port, allowed) from None
        return int(listener.getsockname()[1])
