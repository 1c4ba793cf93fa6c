"""The wearer's body: height, mass, sex and proportions, and the segments that follow from them."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np

Sex = Literal["female", "male"]
SEXES: tuple[Sex, ...] = ("female", "male")

TISSUE_DENSITY = 1050.0  # kg/m^3, mean of the limbs; sets how thick a segment of given mass and length is (assumed)


@dataclass(frozen=True, kw_only=True)
class Body:
    """One person.

    Attributes:
        height_m: Standing height without shoes.
        mass_kg: Whole-body mass.
        sex: Selects the column of the segment tables.
        leg_scale: Leg length over the average for this height; the trunk takes up the difference.
        arm_scale: Arm length over the average for this height.
        width_scale: Shoulder and hip width over the average for this height.
        hip_scale: Hip width over the average for this height and shoulder width.
        thigh_scale: Thigh over the average for this length of the leg; the shank takes up the difference.
        upper_arm_scale: Upper arm over the average for this length of the arm; the forearm takes up the difference.

    Raises:
        ValueError: Outside what the segment tables were measured on.
    """

    height_m: float = 1.72
    mass_kg: float = 70.0
    sex: Sex = "male"
    leg_scale: float = 1.0
    arm_scale: float = 1.0
    width_scale: float = 1.0
    hip_scale: float = 1.0
    thigh_scale: float = 1.0
    upper_arm_scale: float = 1.0

    def __post_init__(self):
        if self.sex not in SEXES:
            raise ValueError(f"sex is {self.sex!r}, expected one of {SEXES}")
        for name, low, high in (
            ("height_m", 1.2, 2.3),
            ("mass_kg", 30.0, 200.0),
            ("leg_scale", 0.85, 1.15),
            ("arm_scale", 0.85, 1.15),
            ("width_scale", 0.7, 1.4),
            ("hip_scale", 0.7, 1.4),
            ("thigh_scale", 0.85, 1.15),
            ("upper_arm_scale", 0.85, 1.15),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value}, expected a value from {low} to {high}")

    @property
    def bmi(self) -> float:
        """Body mass index [kg/m^2]."""
        return self.mass_kg / self.height_m**2


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A rigid part of the body.

    Attributes:
        length: Joint centre to joint centre [m].
        mass: [kg].
        com: Distance of the centre of mass from the proximal end [m].
        inertia: Principal moments about the centre of mass (sagittal, transverse, longitudinal) [kg m^2].
    """

    length: float
    mass: float
    com: float
    inertia: np.ndarray = field(repr=False)

    @property
    def radius(self) -> float:
        """Radius of the capsule of this length that holds the segment's mass [m]."""
        return float(np.sqrt(self.mass / (TISSUE_DENSITY * np.pi * self.length)))


# de Leva, P. (1996). Adjustments to Zatsiorsky-Seluyanov's segment inertia parameters. J. Biomechanics 29(9), Table 4.
# (mass / body mass, centre of mass / length from the proximal end, radii of gyration / length: sagittal, transverse,
# longitudinal). The trunk is cut at the xiphion and the omphalion and measured downwards.
_DE_LEVA: dict[Sex, dict[str, tuple[float, float, tuple[float, float, float]]]] = {
    "female": {
        "head": (0.0668, 0.5894, (0.330, 0.359, 0.318)),
        "upper_trunk": (0.1545, 0.2077, (0.746, 0.502, 0.718)),
        "middle_trunk": (0.1465, 0.4512, (0.433, 0.354, 0.415)),
        "pelvis": (0.1247, 0.4920, (0.433, 0.402, 0.444)),
        "upper_arm": (0.0255, 0.5754, (0.278, 0.260, 0.148)),
        "forearm": (0.0138, 0.4559, (0.261, 0.257, 0.094)),
        "hand": (0.0056, 0.7474, (0.531, 0.454, 0.335)),
        "thigh": (0.1478, 0.3612, (0.369, 0.364, 0.162)),
        "shank": (0.0481, 0.4352, (0.267, 0.263, 0.092)),
        "foot": (0.0129, 0.4014, (0.299, 0.279, 0.139)),
    },
    "male": {
        "head": (0.0694, 0.5976, (0.362, 0.376, 0.312)),
        "upper_trunk": (0.1596, 0.2999, (0.716, 0.454, 0.659)),
        "middle_trunk": (0.1633, 0.4502, (0.482, 0.383, 0.468)),
        "pelvis": (0.1117, 0.6115, (0.615, 0.551, 0.587)),
        "upper_arm": (0.0271, 0.5772, (0.285, 0.269, 0.158)),
        "forearm": (0.0162, 0.4574, (0.276, 0.265, 0.121)),
        "hand": (0.0061, 0.7900, (0.628, 0.513, 0.401)),
        "thigh": (0.1416, 0.4095, (0.329, 0.329, 0.149)),
        "shank": (0.0433, 0.4395, (0.251, 0.246, 0.102)),
        "foot": (0.0137, 0.4415, (0.257, 0.245, 0.124)),
    },
}

# Segment lengths over height. Leg, hand and foot: Winter, D. A. (2009). Biomechanics and Motor Control of Human
# Movement, Fig. 4.1; the leg is divided midway between his thigh's share and that of de Leva (1996), Table 2. Upper
# arm and forearm, between joint centres: mean of the sexes in the same table; the trunk after it, scaled so that
# the shoulders stand at 0.818 of the height.
_LENGTHS = {
    "head": 0.182,
    "upper_trunk": 0.093,
    "middle_trunk": 0.114,
    "pelvis": 0.081,
    "upper_arm": 0.160,
    "forearm": 0.153,
    "hand": 0.108,
    "thigh": 0.240,
    "shank": 0.251,
    "foot": 0.152,
}
_SHOULDER_WIDTH, _HIP_BREADTH, _ANKLE_HEIGHT = 0.259, 0.191, 0.039  # Winter (2009), Fig. 4.1
_SHOULDER_CENTRES = 0.203  # biacromial breadth, 0.226 of the height, less 2 cm on either side (assumed)
# The hip joint centres lie 14 % of the distance of the anterior superior iliac spines inside of each spine (Bell, Brand
# & Pedersen 1989, Human Movement Science 8, 3-16), so 72 % of it apart; the spines are 0.145 of the height apart
# (0.24 m in adults, assumed).
_HIP_CENTRES = 0.72 * 0.145
_LEGS, _TRUNK = ("thigh", "shank", "foot"), ("pelvis", "middle_trunk", "upper_trunk")
_ARMS = ("upper_arm", "forearm", "hand")


@lru_cache(maxsize=64)
def segments(body: Body) -> dict[str, Segment]:
    """The body's segments, one entry for both sides of a paired one; every caller gets the same dictionary.

    Masses add up to `body.mass_kg`. Longer legs shorten the trunk, so that the height stays what it is.
    """
    legs = _LENGTHS["thigh"] + _LENGTHS["shank"]
    trunk = sum(_LENGTHS[name] for name in _TRUNK)
    scale = {name: body.leg_scale for name in _LEGS} | {name: body.arm_scale for name in _ARMS}
    scale |= {name: 1.0 - (body.leg_scale - 1.0) * legs / trunk for name in _TRUNK}
    for one, other, share in (("thigh", "shank", body.thigh_scale), ("upper_arm", "forearm", body.upper_arm_scale)):
        scale[other] *= 1.0 - (share - 1.0) * _LENGTHS[one] / _LENGTHS[other]
        scale[one] *= share
    table = _DE_LEVA[body.sex]
    paired = (*_LEGS, *_ARMS)
    total = sum(row[0] * (2 if name in paired else 1) for name, row in table.items())
    result = {}
    for name, (mass_share, com, radii) in table.items():
        length = _LENGTHS[name] * scale.get(name, 1.0) * body.height_m
        mass = mass_share / total * body.mass_kg
        result[name] = Segment(
            length=length, mass=mass, com=com * length, inertia=mass * (np.array(radii) * length) ** 2
        )
    return result


def shoulder_width(body: Body) -> float:
    """Breadth of the shoulders, the measure of a stance [m]."""
    return _SHOULDER_WIDTH * body.width_scale * body.height_m


def shoulder_centres(body: Body) -> float:
    """Distance between the shoulder joint centres [m]."""
    return _SHOULDER_CENTRES * body.width_scale * body.height_m


def hip_width(body: Body) -> float:
    """Distance between the hip joint centres [m]."""
    return _HIP_CENTRES * body.width_scale * body.hip_scale * body.height_m


def hip_breadth(body: Body) -> float:
    """Breadth of the pelvis over the trochanters [m]."""
    return _HIP_BREADTH * body.width_scale * body.hip_scale * body.height_m


def ankle_height(body: Body) -> float:
    """Height of the ankle joint centre over the ground [m]."""
    return _ANKLE_HEIGHT * body.height_m


@dataclass(frozen=True, kw_only=True)
class BodyRanges:
    """The population of bodies; every draw is within the closed ranges.

    Attributes:
        female_share: Probability of a female body.
        height_m: Range; within it heights follow the sex's normal distribution.
        bmi: Range; uniform in between.
        proportion: Standard deviation of leg, arm, thigh, upper arm and width scale.
        hips: Standard deviation of the hip scale.
    """

    female_share: float = 0.5
    height_m: tuple[float, float] = (1.45, 2.00)
    bmi: tuple[float, float] = (17.0, 35.0)
    proportion: float = 0.04
    hips: float = 0.07


_HEIGHT_MEAN_SD = {
    "female": (1.63, 0.07),
    "male": (1.76, 0.075),
}  # adults of high-income countries, NCD-RisC 2016


def sample_body(ranges: BodyRanges, rng: np.random.Generator) -> Body:
    """Draws one person from the population."""
    sex: Sex = "female" if rng.random() < ranges.female_share else "male"
    mean, sd = _HEIGHT_MEAN_SD[sex]
    height = _truncated_normal(mean, sd, ranges.height_m, rng)
    bmi = rng.uniform(*ranges.bmi)
    leg, arm, width = (_truncated_normal(1.0, ranges.proportion, (0.88, 1.12), rng) for _ in range(3))
    thigh, upper_arm = (_truncated_normal(1.0, ranges.proportion, (0.88, 1.12), rng) for _ in range(2))
    return Body(
        height_m=height,
        mass_kg=bmi * height**2,
        sex=sex,
        leg_scale=leg,
        arm_scale=arm,
        width_scale=width,
        hip_scale=_truncated_normal(1.0, ranges.hips, (0.8, 1.25), rng),
        thigh_scale=thigh,
        upper_arm_scale=upper_arm,
    )


def _truncated_normal(mean: float, sd: float, bounds: tuple[float, float], rng: np.random.Generator) -> float:
    """A normal draw, drawn again until it is within the bounds."""
    if sd == 0 or bounds[0] == bounds[1]:
        return float(np.clip(mean, *bounds))
    while True:
        value = rng.normal(mean, sd)
        if bounds[0] <= value <= bounds[1]:
            return float(value)
