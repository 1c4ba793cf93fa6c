"""Where people carry a phone and a watch: the places on the body, and how each of them holds a device."""

from dataclasses import dataclass
from typing import Literal

# Length and radius [m] of an adult's segments; they turn a spread in metres into one along and around the segment.
TYPICAL_SIZE_M = {
    "middle_trunk": (0.20, 0.15),
    "pelvis": (0.14, 0.15),
    "thigh": (0.42, 0.08),
    "upper_arm": (0.32, 0.045),
    "forearm": (0.25, 0.035),
    "hand": (0.19, 0.03),
}
UNPAIRED = ("middle_trunk", "pelvis")
MOST_ALONG = 0.97  # no device is centred on a segment's far end


@dataclass(frozen=True, kw_only=True)
class Hold:
    """How a place holds a device that is not tight; what of it a device has is drawn (see `Looseness`).

    Attributes:
        pivot: Where the device swings about: "below" its lower edge stands in a pocket, "above" it hangs with the
            cloth, "limb" it slips around the limb, "none" it is gripped.
        arm_m: From the pivot to the device.
        natural_hz: Lowest and highest natural frequency.
        play_deg: Largest play.
    """

    pivot: Literal["below", "above", "limb", "none"] = "none"
    arm_m: float = 0.05
    natural_hz: tuple[float, float] = (2.0, 6.0)
    play_deg: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A place on the surface of a body segment, and the ways in which a device is carried there.

    The segment is seen as a cylinder along its long axis, standing upright with the person facing forwards.

    Attributes:
        segment: Name of the segment, without its side.
        along: Distance from the proximal end over the segment's length.
        azimuth_deg: Direction of the outward normal: 0 forwards, 90 to the outside (lateral), 180 backwards.
        spread_m: Standard deviation of the place along and around the segment.
        turns: (angle [deg], share) of the device's `Mounting.turn_deg` on the left; mirrored on the right.
        screen_in: Probability that the screen faces the body.
        hands_free: Both hands can hold something else.
        hold: How it is held.
    """

    segment: str
    along: float
    azimuth_deg: float
    spread_m: tuple[float, float]
    turns: tuple[tuple[float, float], ...]
    screen_in: float = 0.5
    hands_free: bool = True
    hold: Hold = Hold()


_UPRIGHT, _EITHER_WAY = (0.0, 180.0), (90.0, -90.0)


def _turns(across: float) -> tuple[tuple[float, float], ...]:
    """Upright and upside down alike; a share lies across."""
    upright = tuple((turn, 0.5 * (1.0 - across)) for turn in _UPRIGHT)
    return upright + tuple((turn, 0.5 * across) for turn in _EITHER_WAY)


# Typical carrying places. The front pocket is where people in recordings have it, .36 to .37 of the way from hip to
# knee; the others, the spreads (2-5 cm) and the holds are assumed.
PHONE_SPOTS: dict[str, Spot] = {
    "front_pocket": Spot(
        segment="thigh",
        along=0.36,
        azimuth_deg=30.0,
        spread_m=(0.04, 0.04),
        turns=_turns(0.1),
        hold=Hold(pivot="below", arm_m=0.06, natural_hz=(2.5, 6.0), play_deg=12.0),
    ),
    "back_pocket": Spot(
        segment="pelvis",
        along=0.85,
        azimuth_deg=168.0,
        spread_m=(0.02, 0.02),
        turns=_turns(0.1),
        hold=Hold(pivot="below", arm_m=0.06, natural_hz=(3.0, 6.0), play_deg=8.0),
    ),
    "jacket_pocket": Spot(
        segment="middle_trunk",
        along=0.85,
        azimuth_deg=50.0,
        spread_m=(0.03, 0.03),
        turns=_turns(0.2),
        hold=Hold(pivot="above", arm_m=0.15, natural_hz=(1.5, 4.0), play_deg=15.0),
    ),
    "waistband": Spot(
        segment="pelvis",
        along=0.15,
        azimuth_deg=30.0,
        spread_m=(0.015, 0.05),
        turns=_turns(0.5),
        hold=Hold(pivot="above", arm_m=0.05, natural_hz=(4.0, 8.0), play_deg=6.0),
    ),
    "upper_arm": Spot(
        segment="upper_arm",
        along=0.5,
        azimuth_deg=75.0,
        spread_m=(0.03, 0.02),
        turns=_turns(0.05),
        screen_in=0.0,
        hold=Hold(pivot="limb", arm_m=0.05, natural_hz=(6.0, 10.0), play_deg=8.0),
    ),
    # in the palm, which faces the thigh when the arm hangs; the top points past the thumb, forwards and down
    "hand": Spot(
        segment="hand",
        along=0.55,
        azimuth_deg=-90.0,
        spread_m=(0.01, 0.005),
        turns=((-120.0, 0.85), (60.0, 0.15)),
        screen_in=0.0,
        hands_free=False,
    ),
}
# On the back of the wrist; turn 90 has the watch's x axis towards the elbow, -90 towards the hand.
WATCH_SPOT = Spot(
    segment="forearm",
    along=0.92,
    azimuth_deg=90.0,
    spread_m=(0.01, 0.0),
    turns=((90.0, 0.5), (-90.0, 0.5)),
    screen_in=0.0,
    hold=Hold(pivot="limb", arm_m=0.035, natural_hz=(6.0, 10.0), play_deg=10.0),
)
ANYWHERE: tuple[tuple[str, float], ...] = (
    ("front_pocket", 0.50),
    ("back_pocket", 0.14),
    ("jacket_pocket", 0.12),
    ("waistband", 0.06),
    ("upper_arm", 0.10),
    ("hand", 0.08),
)
"""Every phone spot with an assumed share."""
