"""`tandem trace convert`: the same trace in another format."""

from tandem.cli.trace import files


def run(source: files.Source, *, out: files.Out, seed: files.Seed = 1) -> None:
    """Write a trace in the format of the output's name; it starts at its first request."""
    files.write(files.read(source, seed, out), out)
