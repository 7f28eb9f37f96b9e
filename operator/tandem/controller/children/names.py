"""Names of a fleet's children; legal for every legal fleet."""

import re

from tandem.api.role import Role
from tandem.controller.children.digest import digest

LONGEST = 63  # of a label's value, and of a name that is to be one
_REVISION = 8
_LEGAL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def gateway(fleet: str) -> str:
    """Of the gateway's Deployment, Service and service account."""
    return f"{fleet}-gateway"


def role(fleet: str, of: Role) -> str:
    """Of a role's Service and budget."""
    return f"{fleet}-{of}"


def profiles(fleet: str) -> str:
    """Of the ConfigMap of engine profiles."""
    return f"{fleet}-profiles"


def pool(of: Role, name: str) -> str:
    """A pool as a label's value can hold it behind its role."""
    return fitting(name, LONGEST - len(of) - 1)


def engines(fleet: str, of: Role, pool_name: str, revision: str) -> str:
    """Of the Deployment of a role's engines at one revision."""
    return f"{fitting(f'{fleet}-{of}-{pool_name}', LONGEST - 1 - _REVISION)}-{revision}"


def fitting(text: str, longest: int) -> str:
    """The text, if it is a DNS label of at most that length; else its beginning and a digest of it."""
    if len(text) <= longest and _LEGAL.fullmatch(text):
        return text
    tail = f"-{digest(text)}"
    return re.sub(r"[^a-z0-9]+", "-", text)[: longest - len(tail)].rstrip("-") + tail
