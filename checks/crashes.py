"""What to say when the answer itself raises: the mistake behind the error, and the line."""

from __future__ import annotations

import linecache
import re
import sysconfig
import tomllib
import traceback
from pathlib import Path

BLANK = "Still blank: put your code here."  # what the stub of a blank raises

_TABLES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
EXPLANATIONS: dict[str, str] = _TABLES["explanations"]
FROM_NONE: dict[str, str] = _TABLES["from_none"]
OF_BATCHES: dict[str, str] = _TABLES["of_batches"]


def crash(error: Exception) -> str:
    """What the error means, in a sentence."""
    text = " ".join(str(error).split()).partition(" Trace Shapes:")[0]
    line = "".join(reader_line(error))
    full = f"{type(error).__name__}: {text} ← {line}"
    if isinstance(error, KeyError) and "pyro.param(" in line:
        return (
            f"no parameter {text} has been made here. Take it from the arguments of the function, "
            "or give pyro.param an initial value."
        )
    if "'NoneType'" in text or "must be Tensor, not NoneType" in text:
        why = next(say for pattern, say in FROM_NONE.items() if re.search(pattern, line))
        return f"your code raises: {text[:120]}. {why}"
    for pattern, sentence in EXPLANATIONS.items():
        if found := re.search(pattern, full):
            return sentence.format(*found.groups(), type=type(error).__name__, text=text[:200])
    if not line:
        return f"what your code makes or returns cannot be used: {text[:200]}"
    return f"your code raises {type(error).__name__}: {text[:200]}"


def reader_frames(error: Exception) -> list[traceback.FrameSummary]:
    """The frames of the traceback that are code of the reader's."""
    libraries = [sysconfig.get_path(kind) for kind in ("purelib", "platlib", "stdlib")]
    ours = str(Path(__file__).parent)
    return [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((*libraries, ours, "<frozen", "<string"))
    ]


def is_blank(error: Exception) -> bool:
    """Whether a blank raised it, and not an operation that some library lacks."""
    if not isinstance(error, NotImplementedError):
        return False
    if BLANK in str(error):
        return True
    innermost = traceback.extract_tb(error.__traceback__)[-1:]
    # torch raises this error, too, for what it cannot do; then the reader's line is no `raise`.
    return reader_frames(error)[-1:] == innermost and (
        not str(error) or (innermost[0].line or "").startswith("raise")
    )


def is_of_the_check(error: Exception) -> bool:
    """Whether a check calls a function of the checks in a wrong way: then no answer is to blame."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    called = re.match(r"(\w+)\(\) ", str(error)) if isinstance(error, TypeError) else None
    function = frame.f_globals.get(called[1]) if called else None
    return (getattr(function, "__module__", None) or "").startswith("checks.")


def reader_line(error: Exception) -> list[str]:
    """The innermost line of the traceback that the reader wrote."""
    own = reader_frames(error)
    if not own:
        return []
    line = (own[-1].line or linecache.getline(own[-1].filename, own[-1].lineno or 0)).strip()
    return [f"Look at: `{line}`"] if line else []
