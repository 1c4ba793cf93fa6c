"""Whether this machine can draw, asked once for all tests that need it."""

import pytest

from squat_env.display import NoDisplay, require_gl


def _why_not() -> str | None:
    try:
        require_gl()
    except NoDisplay as error:
        return str(error)
    return None


WHY_NOT = _why_not()
needs_gl = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))
