"""The stages of a disaggregated fleet that scale apart."""

from enum import StrEnum


class Role(StrEnum):
    """An open enumeration: a rule is written once for `fleet[role]`, never per role."""

    PREFILL = "prefill"
    DECODE = "decode"
