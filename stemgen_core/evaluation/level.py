"""Is a stem audible, unclipped, and at a level that suits its context?

Conventions: shares are 0..1 and better when lower; `level_db` is relative to the context and 0 is not a goal.
"""

from stemgen_core.analysis.level import LevelReport

MIN_LEVEL_DB, MAX_LEVEL_DB = -24.0, 9.0  # relative to the context: what a mix can use without touching a fader
MAX_CLIPPED_SHARE = 1e-4


def validate(report: LevelReport) -> None:
    """Check a level report.

    Raises:
        ValueError: if a share is outside 0..1.
    """
    for name in ("silent_share", "clipped_share"):
        if not 0 <= getattr(report, name) <= 1:
            raise ValueError(f"{name} must be 0..1, got {getattr(report, name)}")


def relative_level_db(context: LevelReport, stem: LevelReport) -> float | None:
    """Return the stem's level while it plays relative to the context's, dB; None where either is silent."""
    if context.is_silent or stem.is_silent:
        return None
    return stem.active_rms_dbfs - context.active_rms_dbfs


def evaluate(context: LevelReport, stem: LevelReport) -> dict[str, float | None]:
    """Return every score of this module.

    Returns:
        `is_silent` (0 or 1), `silent_share` (0..1), `is_clipped` (0 or 1), `level_db` (dB; None where either is
        silent), `is_level_usable` (0 or 1).
    """
    validate(context)
    validate(stem)
    level_db = relative_level_db(context, stem)
    return {
        "is_silent": float(stem.is_silent),
        "silent_share": stem.silent_share,
        "is_clipped": float(stem.clipped_share > MAX_CLIPPED_SHARE),
        "level_db": level_db,
        "is_level_usable": float(level_db is not None and MIN_LEVEL_DB <= level_db <= MAX_LEVEL_DB),
    }
