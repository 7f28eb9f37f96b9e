"""Which step times simulated engines have; `--truth` names them.

    table           (default) the measured or modelled table of the profile's engine under $TANDEM_DATA, else
                    the generated one
    generated       a table made from the profile, off the three-term form on purpose
    profile         the profile's three-term form itself
    aiconfigurator  asked of aiconfigurator-core, which must be installed
    FILE            a table of one's own (`tandem.perf.table_file`), taken as it stands

Modelled times are multiplied by the one calibration that was measured (`MODELLED`); measured ones, and
those of a file, are not.
"""

from pathlib import Path

from tandem.errors import InvalidInputError
from tandem.perf.engine_profile import EngineProfile
from tandem.perf.from_aiconfigurator import MODELLED, from_aiconfigurator
from tandem.perf.generated import generated
from tandem.perf.step_times import StepTimes
from tandem.perf.table import TableTimes
from tandem.perf.table_file import find_table, read_table
from tandem.perf.table_rows import FILES

NAMES = ("table", "generated", "profile", "aiconfigurator")

_SWEEP = "aic_0.12.0_sweep_bf16.parquet"
# Measured tables, whose files do not say of what: model, accelerator, how many.
_MEASURED = {
    ("nvidia/Llama-3.1-8B-Instruct-FP8", "nvidia-h200", 1): (
        "dynamo_h200_llama31-8b-fp8_tp1_prefill.csv"
    )
}


def truth(
    text: str | None, profile: EngineProfile, data: Path | None = None, field: str = "--truth"
) -> StepTimes:
    """The step times that a name or a file stands for; None is `table`.

    `data` is the folder of real traces and timings, which holds `profiles/`.

    Raises:
        InvalidInputError: an unknown name, or what is wrong with the file, which `field` named.

    """
    if text is None or text == "table":
        known = _known(profile, data / "profiles", field) if data is not None else None
        return known or generated(profile)
    if text == "generated":
        return generated(profile)
    if text == "profile":
        return profile
    if text == "aiconfigurator":
        return from_aiconfigurator(profile, field)
    if text.endswith(FILES):
        return read_table(Path(text), profile, field)
    allowed = f"one of {', '.join(NAMES)}, or a CSV or Parquet file"
    raise InvalidInputError(field, text, allowed)


def _known(profile: EngineProfile, folder: Path, field: str) -> TableTimes | None:
    """The table that is there for a profile's engine: a measured one before a modelled one."""
    engine = profile.model, profile.accelerator, profile.accelerators
    measured = _MEASURED.get(engine)
    if measured is not None and (folder / measured).is_file():
        return read_table(folder / measured, profile, field)
    if (folder / _SWEEP).is_file():
        return find_table(folder / _SWEEP, profile, field, MODELLED)
    return None
