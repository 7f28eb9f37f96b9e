"""`python -m e2e.cluster up|down|images|shell|env`."""

import argparse
import os
import shlex
import sys

from e2e.cluster import box, images
from e2e.cluster.places import BoxError, direct_environment, say


def main() -> int:
    """Do what the command line says; 1 if the cluster could not be brought up."""
    parser = argparse.ArgumentParser(
        prog="python -m e2e.cluster", description="A cluster in a box."
    )
    parser.add_argument("command", choices=("up", "down", "images", "shell", "env"))
    command = parser.parse_args().command
    try:
        if command == "down":
            box.down()
        elif command == "up":
            box.running()
        elif command == "images":
            _load_images(box.running())
        elif command == "env":
            _print_exports(box.running())
        else:
            _open_shell(box.running())
    except BoxError as error:
        say(f"{error}")
        return 1
    return 0


def _load_images(running: box.Box) -> None:
    """Build Tandem's images where their sources have changed, and give them to the node."""
    for name, archive in images.build().items():
        running.load_image(archive)
        say(f"loaded {images.reference(name)}")


def exports(running: box.Box) -> dict[str, str]:
    """What a shell needs to find the cluster and its programs."""
    folders = dict.fromkeys(f"{path.parent}" for path in running.programs.values())
    return {
        "KUBECONFIG": f"{running.kubeconfig}",
        "PATH": ":".join([*folders, os.environ["PATH"], "/usr/sbin", "/sbin"]),
    }


def _print_exports(running: box.Box) -> None:
    for name, value in exports(running).items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")


def _open_shell(running: box.Box) -> None:
    """Become a shell in the cluster's network."""
    say("kubectl and helm are on PATH; exit leaves the cluster running")
    command = running.inside([os.environ.get("SHELL", "/bin/sh")])
    os.execvpe(command[0], command, {**direct_environment(), **exports(running)})  # noqa: S606 - a shell is what it becomes


if __name__ == "__main__":
    sys.exit(main())
