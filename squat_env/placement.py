"""Where the phone and the watch sit on the body, how they are turned, and how tightly they are held."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from squat_env.draws import choose, uniform
from squat_env.rotations import about
from squat_env.spots import ANYWHERE, MOST_ALONG, PHONE_SPOTS, TYPICAL_SIZE_M, WATCH_SPOT, Hold, Spot
from squat_env.wobble import Looseness, mirrored_looseness

Side = Literal["left", "right"]
SIDES: tuple[Side, ...] = ("left", "right")


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
        looseness: How it swings against the segment.

    Raises:
        ValueError: The side is unknown, or a number is out of range.
    """

    spot: str
    side: Side
    along: float
    azimuth_deg: float
    turn_deg: float = 0.0
    tilt_deg: tuple[float, float] = (0.0, 0.0)
    screen_in: bool = False
    looseness: Looseness = Looseness()

    def __post_init__(self):
        if self.side not in ("left", "right"):
            raise ValueError(f"side is {self.side!r}, expected 'left' or 'right'")
        if not 0.0 <= self.along <= 1.0:
            raise ValueError(f"along is {self.along}, expected a share of the segment's length from 0 to 1")
        angles = (self.azimuth_deg, self.turn_deg, *self.tilt_deg)
        if not all(abs(angle) <= 720.0 for angle in angles):
            raise ValueError(f"azimuth, turn and tilt are {angles}, expected angles within 720 degrees")


@dataclass(frozen=True, kw_only=True)
class Placement:
    """The places of both devices."""

    phone: Mounting = Mounting(spot="front_pocket", side="right", along=0.36, azimuth_deg=30.0)
    watch: Mounting = Mounting(spot="wrist", side="left", along=0.92, azimuth_deg=90.0, turn_deg=90.0)

    def __post_init__(self):
        if self.phone.spot not in PHONE_SPOTS:
            raise ValueError(f"phone is placed at {self.phone.spot!r}, expected one of {sorted(PHONE_SPOTS)}")
        if self.watch.spot != "wrist":
            raise ValueError(f"watch is placed at {self.watch.spot!r}, expected 'wrist'")

    @property
    def hands_free(self) -> bool:
        """Whether the wearer can hold something else with both hands."""
        return PHONE_SPOTS[self.phone.spot].hands_free


@dataclass(frozen=True, kw_only=True)
class PlacementRanges:
    """The population of placements.

    Attributes:
        phone_spots: (place, share) pairs; shares need not add up to one.
        orientation: "random" turns the phone any sensible way in its pocket and the watch's crown to either side;
            "fixed" is one tight mounting for everybody (the devices still sit at random places).
        spread: Factor on the places' spread.
        tilt_sd_deg: Spread of the device's tilt against the segment.
        strap_sd_deg: Spread of the strap's rotation around the wrist.
        inside_share: Share of the watches that are worn on the inside of the wrist.
        loose_share: Share of the devices that are not held tight.

    Raises:
        ValueError: A phone spot is unknown.
    """

    phone_spots: tuple[tuple[str, float], ...] = ANYWHERE
    orientation: Literal["random", "fixed"] = "random"
    spread: float = 1.0
    tilt_sd_deg: float = 12.0
    strap_sd_deg: float = 20.0
    inside_share: float = 0.05
    loose_share: float = 0.5

    def __post_init__(self):
        if not self.phone_spots or not {name for name, _ in self.phone_spots} <= set(PHONE_SPOTS):
            raise ValueError(
                f"phone_spots are {self.phone_spots}, expected (spot, share) pairs with spots of {sorted(PHONE_SPOTS)}"
            )


def sample_placement(ranges: PlacementRanges, rng: np.random.Generator, *, hands_free: bool = False) -> Placement:
    """Draws the places and mountings of both devices, each from a stream of its own.

    Left and right are equally likely, and each is drawn as the mirror image of the other.

    Args:
        ranges: The population.
        rng: Where the draws come from.
        hands_free: The hands hold something else, so no phone.

    Raises:
        ValueError: Nothing but a hand is left to hold the phone.
    """
    spots = [(name, share) for name, share in ranges.phone_spots if PHONE_SPOTS[name].hands_free or not hands_free]
    if not spots:
        raise ValueError(f"phone_spots are {ranges.phone_spots}, expected one that leaves the hands to what they hold")
    name = choose(rng, spots)
    phone, watch = rng.spawn(2)
    return Placement(phone=_sample_phone(name, ranges, phone), watch=_sample_watch(ranges, watch))


def _sample_phone(name: str, ranges: PlacementRanges, rng: np.random.Generator) -> Mounting:
    spot = PHONE_SPOTS[name]
    placed = _sample_place(name, spot, ranges, rng)
    if ranges.orientation == "fixed":
        return placed
    tilt = rng.normal(0.0, ranges.tilt_sd_deg, 3)
    turned = replace(
        placed,
        turn_deg=_wrapped(choose(rng, spot.turns) + tilt[0]),
        tilt_deg=(float(tilt[1]), float(tilt[2])),
        screen_in=bool(rng.random() < spot.screen_in),
    )
    return _to_side(turned, spot, ranges, rng)


def _sample_watch(ranges: PlacementRanges, rng: np.random.Generator) -> Mounting:
    placed = _sample_place("wrist", WATCH_SPOT, ranges, rng)
    if ranges.orientation == "fixed":
        return replace(placed, turn_deg=90.0)
    crown = choose(rng, WATCH_SPOT.turns)
    strap, turn, tilt_x, tilt_y = rng.normal(0.0, [ranges.strap_sd_deg, 5.0, 5.0, 5.0])
    inside = 180.0 if rng.random() < ranges.inside_share else 0.0
    turned = replace(
        placed,
        azimuth_deg=_wrapped(WATCH_SPOT.azimuth_deg + strap + inside),
        turn_deg=_wrapped(crown + turn),
        tilt_deg=(float(tilt_x), float(tilt_y)),
    )
    return _to_side(turned, WATCH_SPOT, ranges, rng)


def _sample_place(name: str, spot: Spot, ranges: PlacementRanges, rng: np.random.Generator) -> Mounting:
    """Side, distance along and direction around the segment; a place beyond the segment's ends is drawn again."""
    side: Side = "left" if rng.random() < 0.5 else "right"
    length, radius = TYPICAL_SIZE_M[spot.segment]
    sd_along, sd_around = (ranges.spread * spread for spread in spot.spread_m)
    around = spot.azimuth_deg + np.rad2deg(rng.normal(0.0, sd_around) / radius)
    while True:
        along = spot.along + rng.normal(0.0, sd_along) / length
        if 0.0 <= along <= MOST_ALONG:
            return Mounting(spot=name, side=side, along=float(along), azimuth_deg=_wrapped(around))


def _to_side(mounting: Mounting, spot: Spot, ranges: PlacementRanges, rng: np.random.Generator) -> Mounting:
    """Adds the hold to a mounting that was drawn for the left, and mirrors it where its side is the right."""
    left = replace(mounting, side="left")
    left = replace(left, looseness=_sample_looseness(left, spot.hold, ranges.loose_share, rng))
    return left if mounting.side == "left" else mirrored(left)


def _sample_looseness(mounting: Mounting, hold: Hold, loose_share: float, rng: np.random.Generator) -> Looseness:
    """A pocket lets the phone swing about any axis across the arm, a strap about the limb alone."""
    play, damping = uniform(rng, 0.0, hold.play_deg), uniform(rng, 0.2, 0.5)
    angle = uniform(rng, -math.pi, math.pi)
    slowest, fastest = hold.natural_hz
    natural = slowest * (fastest / slowest) ** rng.random()
    if rng.random() >= loose_share or hold.pivot == "none":
        return Looseness()
    right, up, normal = rotation(replace(mounting, turn_deg=0.0, tilt_deg=(0.0, 0.0), screen_in=False)).T
    across = -right
    outward = {"below": up, "above": -up, "limb": normal}[hold.pivot]
    axis = up if hold.pivot == "limb" else math.cos(angle) * across + math.sin(angle) * normal
    device = rotation(mounting).T
    return Looseness(
        play_deg=float(play),
        natural_hz=float(natural),
        damping=float(damping),
        axis=_vector(device @ axis),
        arm_m=_vector(hold.arm_m * device @ outward),
    )


def _wrapped(angle_deg: float) -> float:
    """The same direction between -180 and 180 degrees."""
    return float((angle_deg + 180.0) % 360.0 - 180.0)


def _vector(values: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z


def mirrored(mounting: Mounting) -> Mounting:
    """The mounting of a person's mirror image, on the other side.

    Its device frame is the mirror image of the other's with the x axis turned round, so that it stays right-handed.
    """
    tilt_x, tilt_y = mounting.tilt_deg
    return replace(
        mounting,
        side="right" if mounting.side == "left" else "left",
        turn_deg=-mounting.turn_deg,
        tilt_deg=(tilt_x, -tilt_y),
        looseness=mirrored_looseness(mounting.looseness),
    )


def outward(mounting: Mounting) -> np.ndarray:
    """Outward normal (3,) of the place in the segment frame; azimuth 90 degrees is +y on the left, -y on the right."""
    azimuth = math.radians(mounting.azimuth_deg)
    lateral = math.sin(azimuth) if mounting.side == "left" else -math.sin(azimuth)
    return np.array([math.cos(azimuth), lateral, 0.0])


def rotation(mounting: Mounting) -> np.ndarray:
    """Rotation (3, 3) that takes device-frame vectors to the segment frame (x forwards, y left, z up)."""
    forwards, lateral, _ = outward(mounting)
    on_surface = np.array([[-lateral, 0.0, forwards], [forwards, 0.0, lateral], [0.0, 1.0, 0.0]])
    turn, tilt_x, tilt_y = np.deg2rad([mounting.turn_deg, *mounting.tilt_deg])
    if mounting.screen_in:
        tilt_y += np.pi
    return on_surface @ about("z", turn) @ about("x", tilt_x) @ about("y", tilt_y)
