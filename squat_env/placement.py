"""Where the phone and the watch sit on the body, and how they are turned."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Side = Literal["left", "right"]
SIDES: tuple[Side, ...] = ("left", "right")

TYPICAL_SEGMENT_M, TYPICAL_RADIUS_M = 0.4, 0.08  # turn a spread in metres into one along and around a segment


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A place on the surface of a body segment.

    The segment is seen as a cylinder along its long axis, standing upright with the person facing forwards.

    Attributes:
        segment: Name of the segment, without its side.
        along: Distance from the proximal end over the segment's length.
        azimuth_deg: Direction of the outward normal: 0 forwards, 90 to the outside (lateral), 180 backwards.
        spread_m: Standard deviation of the place along and around the segment.
    """

    segment: str
    along: float
    azimuth_deg: float
    spread_m: float


# Typical carrying places; distances are assumed, spreads 2-5 cm.
PHONE_SPOTS: dict[str, Spot] = {
    "front_pocket": Spot(segment="thigh", along=0.30, azimuth_deg=30.0, spread_m=0.045),
    "back_pocket": Spot(segment="thigh", along=0.02, azimuth_deg=165.0, spread_m=0.02),
    "jacket_pocket": Spot(segment="pelvis", along=0.35, azimuth_deg=60.0, spread_m=0.03),
    "waistband": Spot(segment="pelvis", along=0.25, azimuth_deg=20.0, spread_m=0.03),
    "upper_arm": Spot(segment="upper_arm", along=0.5, azimuth_deg=80.0, spread_m=0.02),
    "hand": Spot(segment="hand", along=0.6, azimuth_deg=0.0, spread_m=0.01),
}
WATCH_SPOT = Spot(segment="forearm", along=0.92, azimuth_deg=90.0, spread_m=0.01)


@dataclass(frozen=True, kw_only=True)
class Mounting:
    """One device on one place.

    The device frame has x to the right of the screen, y to its top and z out of it. Turn zero has z along the outward
    normal and y towards the proximal end of the segment.

    Attributes:
        spot: Key of the place.
        side: Side of the body.
        along: Distance from the segment's proximal end over its length.
        azimuth_deg: Direction of the outward normal (see `Spot`); the strap's rotation around a wrist is in it.
        turn_deg: Rotation of the device about the outward normal.
        tilt_deg: Rotations about the device's x and y that take its z away from the normal.
        screen_in: The screen faces the body.
    """

    spot: str
    side: Side
    along: float
    azimuth_deg: float
    turn_deg: float = 0.0
    tilt_deg: tuple[float, float] = (0.0, 0.0)
    screen_in: bool = False


@dataclass(frozen=True, kw_only=True)
class Placement:
    """The places of both devices."""

    phone: Mounting = Mounting(spot="front_pocket", side="right", along=0.30, azimuth_deg=30.0)
    watch: Mounting = Mounting(spot="wrist", side="left", along=0.92, azimuth_deg=90.0, turn_deg=90.0)

    def __post_init__(self):
        if self.phone.spot not in PHONE_SPOTS:
            raise ValueError(f"phone is placed at {self.phone.spot!r}, expected one of {sorted(PHONE_SPOTS)}")
        if self.watch.spot != "wrist":
            raise ValueError(f"watch is placed at {self.watch.spot!r}, expected 'wrist'")


@dataclass(frozen=True, kw_only=True)
class PlacementRanges:
    """The population of placements.

    Attributes:
        phone_spots: (place, share) pairs; shares need not add up to one.
        orientation: "random" turns the phone any sensible way in its pocket and the watch's crown to either side;
            "fixed" is one mounting for everybody (the devices still sit at random places).
        spread: Factor on the places' spread.
        tilt_sd_deg: Spread of the device's tilt against the segment.
        strap_sd_deg: Spread of the strap's rotation around the wrist.
    """

    phone_spots: tuple[tuple[str, float], ...] = (("front_pocket", 1.0),)
    orientation: Literal["random", "fixed"] = "random"
    spread: float = 1.0
    tilt_sd_deg: float = 12.0
    strap_sd_deg: float = 20.0


def sample_placement(ranges: PlacementRanges, rng: np.random.Generator) -> Placement:
    """Draws the places and mountings of both devices; left and right are equally likely."""
    names, shares = zip(*ranges.phone_spots, strict=True)
    name = str(rng.choice(names, p=np.array(shares) / sum(shares)))
    return Placement(
        phone=_sample_phone(name, ranges, rng),
        watch=_sample_watch(ranges, rng),
    )


def _sample_phone(name: str, ranges: PlacementRanges, rng: np.random.Generator) -> Mounting:
    side, along, azimuth = _sample_place(PHONE_SPOTS[name], ranges, rng)
    # upright or upside down, and lying across in one of ten pockets
    quarter = rng.choice([0.0, 180.0, 90.0, 270.0], p=[0.45, 0.45, 0.05, 0.05])
    screen_in = bool(rng.random() < 0.5)
    tilt = rng.normal(0.0, ranges.tilt_sd_deg, 3)
    if ranges.orientation == "fixed":
        return Mounting(spot=name, side=side, along=along, azimuth_deg=azimuth)
    return Mounting(
        spot=name,
        side=side,
        along=along,
        azimuth_deg=azimuth,
        turn_deg=float(quarter + tilt[0]),
        tilt_deg=(float(tilt[1]), float(tilt[2])),
        screen_in=screen_in,
    )


def _sample_watch(ranges: PlacementRanges, rng: np.random.Generator) -> Mounting:
    side, along, _ = _sample_place(WATCH_SPOT, ranges, rng)
    crown = rng.choice([90.0, 270.0])
    strap, turn, tilt_x, tilt_y = rng.normal(0.0, [ranges.strap_sd_deg, 5.0, 5.0, 5.0])
    if ranges.orientation == "fixed":
        return Mounting(spot="wrist", side=side, along=along, azimuth_deg=WATCH_SPOT.azimuth_deg, turn_deg=90.0)
    return Mounting(
        spot="wrist",
        side=side,
        along=along,
        azimuth_deg=float(WATCH_SPOT.azimuth_deg + strap),
        turn_deg=float(crown + turn),
        tilt_deg=(float(tilt_x), float(tilt_y)),
    )


def _sample_place(spot: Spot, ranges: PlacementRanges, rng: np.random.Generator) -> tuple[Side, float, float]:
    """Side, distance along and direction around the segment; a place beyond the segment's ends is drawn again."""
    side: Side = "left" if rng.random() < 0.5 else "right"
    around = rng.normal(0.0, spot.spread_m * ranges.spread)
    while True:
        along = spot.along + rng.normal(0.0, spot.spread_m * ranges.spread) / TYPICAL_SEGMENT_M
        if 0.0 <= along <= 0.97:
            return side, float(along), float(spot.azimuth_deg + np.rad2deg(around / TYPICAL_RADIUS_M))


def rotation(mounting: Mounting) -> np.ndarray:
    """Rotation (3, 3) that takes device-frame vectors to the segment frame (x forwards, y left, z up).

    Azimuth 90 degrees is the outside of the body: +y on the left side, -y on the right.
    """
    azimuth = np.deg2rad(mounting.azimuth_deg) * (1.0 if mounting.side == "left" else -1.0)
    normal = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    up = np.array([0.0, 0.0, 1.0])
    on_surface = np.column_stack([np.cross(up, normal), up, normal])
    turn, tilt_x, tilt_y = np.deg2rad([mounting.turn_deg, *mounting.tilt_deg])
    flip = _about("y", np.pi) if mounting.screen_in else np.eye(3)
    return on_surface @ _about("z", turn) @ _about("x", tilt_x) @ _about("y", tilt_y) @ flip


def _about(axis: str, angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = c
    matrix[i, j], matrix[j, i] = -s, s
    return matrix
