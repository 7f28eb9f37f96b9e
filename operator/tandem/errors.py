"""What a user did wrong, in words a user can act on.

    TandemError
    └── InvalidInputError      a field, its value, and what is allowed (exit 2 on the command line)

Missing data is not an error but a value (`planner.observation.Missing`); a world that is not ready
yet is a retry where it happens.
"""


class TandemError(Exception):
    """Base of every error that Tandem raises on purpose."""


class InvalidInputError(TandemError):
    """One field of what a user gave is wrong.

    Args:
        field: name as the user knows it (`--ttft`, `spec.slo.ttft.target`, `column input_tokens`).
        value: what was given.
        allowed: what would have been right, as a phrase.

    """

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field = field
        self.value = value
        self.allowed = allowed
        super().__init__(f"{field}: {value!r} is not allowed: {allowed}")

    def __reduce__(self) -> tuple[type["InvalidInputError"], tuple[str, object, str]]:
        """Travels between processes whole: an exception is copied by its message alone otherwise."""
        return InvalidInputError, (self.field, self.value, self.allowed)
