"""What the arms do: postures by name."""

from dataclasses import dataclass
from typing import Any

Angles = tuple[float, float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class ArmPosture:
    """What both arms (mirrored) do.

    Angles are shoulder flexion, abduction out of the sagittal plane, external rotation; elbow flexion; pronation [deg].

    Attributes:
        standing, bottom: Angles at the start and at the turning point.
        follow: Range of `Motion.arm_follow`: free arms mostly keep their direction in the world while the trunk leans.
        freedom: How much these arms sway and drift, over that of free ones (assumed).
    """

    standing: Angles
    bottom: Angles
    follow: tuple[float, float] = (0.0, 0.6)
    freedom: float = 1.0


def _held(*angles: float, **how: Any) -> ArmPosture:
    shoulder, abduction, external, elbow, pronation = angles
    held = (shoulder, abduction, external, elbow, pronation)
    return ArmPosture(standing=held, bottom=held, **how)


def _on_the_body(*angles: float) -> ArmPosture:
    """Hands that hold on to the trunk or the head: the arms go where it goes, and are less free to move."""
    return _held(*angles, follow=(0.7, 1.0), freedom=0.5)


# Typical angles (assumed); every draw adds `MotionRanges.arm_sd_deg` to each of them.
ARM_POSTURES: dict[str, ArmPosture] = {
    "sides": _held(5, 8, 0, 12, 0),
    "forward": _held(85, 5, 0, 8, 30),
    "overhead": _held(168, 14, 0, 18, 0),
    "raised": _held(168, 52, -75, 30, 0),
    "goal_post": _held(60, 68, 30, 85, 0, follow=(0.0, 1.0)),
    "crossed": _on_the_body(45, 5, -65, 110, 20),
    "hips": _on_the_body(-8, 42, -45, 85, 30),
    "head": _on_the_body(120, 45, 20, 130, 0),
    "goblet": _on_the_body(38, 2, -22, 125, 0),
    "swinging": ArmPosture(standing=(0, 8, 0, 12, 0), bottom=(80, 5, 0, 12, 20)),
    "lap": ArmPosture(standing=(0, 8, 0, 12, 0), bottom=(28, 9, -12, 66, 70)),
    "clasped": ArmPosture(standing=(0, 8, 0, 12, 0), bottom=(20, 6, -38, 78, 60)),
    "armrests": ArmPosture(standing=(0, 8, 0, 12, 0), bottom=(2, 18, -5, 84, 50)),
    "bar_hang": _held(4, 10, 0, 4, 30),
    "curl": ArmPosture(standing=(2, 8, 0, 8, -70), bottom=(12, 8, 0, 130, -70)),
    "press": ArmPosture(standing=(55, 40, 15, 118, 30), bottom=(165, 20, 0, 15, 30)),
    "side_raise": ArmPosture(standing=(2, 10, 0, 15, 10), bottom=(8, 74, 0, 18, 10)),
}
