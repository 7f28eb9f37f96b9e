"""The `tandem-engine` command: one module per sub-command, imported only when it is asked for.

argparse, because an engine's container installs no more than it needs.
"""

import argparse
import importlib
import sys
from typing import NoReturn

from tandem import __version__
from tandem.errors import InvalidInputError, TandemError

# Name: module with `add_flags(parser)` and `run(flags) -> exit code`, one line of help.
COMMANDS = {
    "emulate": (
        "tandem_engine.emulator.flags",
        "Serve vLLM's HTTP surface with the time of an engine profile, without a GPU.",
    ),
    "serve": (
        "tandem_engine.vllm.serve",
        "Become a vLLM engine with the flags that its place in a fleet needs.",
    ),
    "tiny-model": (
        "tandem_engine.vllm.tiny",
        "Make a model small enough for real engines on one CPU core.",
    ),
}
USAGE = 2
FAILED = 1


class _Parser(argparse.ArgumentParser):
    """Says a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        """End with exit 2."""
        sys.stderr.write(f"error: {message} ('{self.prog} --help' lists what is allowed)\n")
        raise SystemExit(USAGE)


def main() -> None:
    """Run the command line: a user's mistake is one line and exit 2, never a traceback."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Exit code of one command line."""
    asked = next((word for word in arguments if not word.startswith("-")), None)
    flags = _parser(asked).parse_args(arguments or ["--help"])
    try:
        code: int = flags.run(flags)
    except InvalidInputError as error:
        return _say(error, USAGE)
    except TandemError as error:
        return _say(error, FAILED)
    return code


def _parser(asked: str | None) -> argparse.ArgumentParser:
    """The parser, with the command that is asked for imported and the others only named."""
    parser = _Parser(prog="tandem-engine", description="What runs in an engine pod.")
    parser.add_argument("--version", action="version", version=f"tandem-engine {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (module, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        if name == asked:
            imported = importlib.import_module(module)
            imported.add_flags(command)
            command.set_defaults(run=imported.run)
    return parser


def _say(error: TandemError, code: int) -> int:
    sys.stderr.write(f"error: {error}\n")
    return code
