"""Checks that teach: an engine that compares behaviour, and one module of checks per notebook."""

from utils.checks.engine import (
    CheckFailed,
    StillBlank,
    Twin,
    call,
    close_to,
    exercise,
    fail,
    probability_close_to,
    same_function,
    scorecard_within,
)
from utils.checks.models import same_guide, same_model

__all__ = [
    "CheckFailed",
    "StillBlank",
    "Twin",
    "call",
    "close_to",
    "exercise",
    "fail",
    "probability_close_to",
    "same_function",
    "same_guide",
    "same_model",
    "scorecard_within",
]
