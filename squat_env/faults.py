"""Faults of form, each with a severity from 0 to 1: one vocabulary for motions, wearables, joints and text."""

from collections.abc import Mapping

from squat_env.body import Body
from squat_env.motion import Motion


def with_faults(motion: Motion, body: Body, faults: Mapping[str, float]) -> Motion:
    """."""
    return motion
