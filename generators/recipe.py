"""What a dataset is made of: one frozen recipe, written as JSON into every file."""

from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any, get_args, get_type_hints

from squat_env.devices import DeviceRanges
from squat_env.exercises import EXERCISES, exercise_named
from squat_env.faults import FaultRanges
from squat_env.motion import MotionRanges
from squat_env.placement import PlacementRanges
from squat_env.population import Population
from squat_env.surroundings import CHAIRS, Surroundings

PHYSICS = ("mujoco", "mujoco_warp")
PHYSICS_HZ = 400  # every recorded sample falls on a physics step
MOST_MOUNTINGS = 64
SHARD_REPETITIONS = 60  # divisible by 1 to 6, 10 and 12 repetitions a set


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A dataset of simulated repetitions.

    Attributes:
        name: What the population is called in reports.
        repetitions: Number of repetitions.
        seed: Of every draw; repetition i depends on (recipe without its number of repetitions, i) alone.
        exercises: (exercise, share) pairs; a set is of one exercise, shares need not add up to one.
        faults: Which sets have which faults; where None, every set as people happen to do it.
        correct_below: A repetition is correct where no fault of its exercise is as severe as this.
        mountings: How many watches and phones, each at places of its own, record every repetition at once.
        repetitions_a_set: Consecutive repetitions that share wearer, placement and devices.
        rate_hz: Of the recorded streams.
        range_hz: Of the range readings.
        shard_repetitions: Repetitions a file; a multiple of `repetitions_a_set`.
        population: What is drawn.
        physics: What steps it, one of `PHYSICS`; both do the same to within rounding, and no set is of both.
    """

    name: str = "randomised"
    repetitions: int = 3000
    seed: int = 0
    exercises: tuple[tuple[str, float], ...] = (("squat", 1.0),)
    faults: FaultRanges | None = None
    correct_below: float = 0.25
    mountings: int = 1
    repetitions_a_set: int = 1
    rate_hz: float = 20.0
    range_hz: float = 5.0
    shard_repetitions: int = SHARD_REPETITIONS
    population: Population = field(default_factory=Population)
    physics: str = PHYSICS[0]

    def __post_init__(self):
        if self.repetitions < 1:
            raise ValueError(f"repetitions is {self.repetitions}, expected at least 1")
        if not 5.0 <= self.rate_hz <= 200.0 or PHYSICS_HZ % self.rate_hz:
            raise ValueError(f"rate_hz is {self.rate_hz:g}, expected a divisor of {PHYSICS_HZ} from 5 to 200 Hz")
        if not 0.5 <= self.range_hz <= 50.0:
            raise ValueError(f"range_hz is {self.range_hz}, expected 0.5 to 50 Hz")
        if not 1 <= self.mountings <= MOST_MOUNTINGS:
            raise ValueError(f"mountings is {self.mountings}, expected 1 to {MOST_MOUNTINGS}")
        if self.repetitions_a_set < 1 or self.shard_repetitions % self.repetitions_a_set:
            raise ValueError(
                f"shard_repetitions is {self.shard_repetitions}, expected a multiple of"
                f" repetitions_a_set = {self.repetitions_a_set}"
            )
        if self.physics not in PHYSICS:
            raise ValueError(f"physics is {self.physics!r}, expected one of {PHYSICS}")
        self._check_exercises()

    def _check_exercises(self) -> None:
        for name, share in self.exercises:
            exercise_named(name)
            if not share > 0.0:
                raise ValueError(f"the share of {name} is {share}, expected one above 0")
        if not self.exercises:
            raise ValueError(f"exercises is empty, expected some of {', '.join(EXERCISES)}")
        if self.population.motion is not None and len(self.exercises) > 1:
            raise ValueError("population.motion holds one exercise's ranges, expected None where there are several")
        if not 0.0 < self.correct_below <= 1.0:
            raise ValueError(f"correct_below is {self.correct_below}, expected a severity above 0, up to 1")

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form; `from_dict` is its inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Recipe":
        """The recipe that a file's JSON describes.

        Raises:
            ValueError: A key is unknown.
        """
        return _build(cls, values)


def _build(kind: type, values: dict[str, Any]) -> Any:
    hints = get_type_hints(kind)
    if unknown := set(values) - set(hints):
        raise ValueError(f"{kind.__name__} got {sorted(unknown)}, expected {sorted(f.name for f in fields(kind))}")
    return kind(**{name: _value(hints[name], value) for name, value in values.items()})


def _value(kind: Any, value: Any) -> Any:
    for option in (kind, *get_args(kind)):
        if isinstance(option, type) and is_dataclass(option) and isinstance(value, dict):
            return _build(option, value)
    return _tuples(value)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value


def randomised(**changes: Any) -> Recipe:
    """Everything randomised: mounting, arms, tempo, sway and devices."""
    return replace(Recipe(population=Population(surroundings=CHAIRS)), **changes)


def paper(**changes: Any) -> Recipe:
    """The source paper's kind: devices at random places, but one mounting and arm posture for all, no errors."""
    population = Population(
        motion=MotionRanges(
            arms=(("forward", 1.0),),
            arm_sd_deg=4.0,
            arm_follow=(1.0, 1.0),
            sway_deg=(0.0, 0.0),
            movement_s=(1.8, 3.5),
            lean_deg=(30.0, 45.0),
            toe_out_deg=(5.0, 25.0),
        ),
        placement=PlacementRanges(phone_spots=(("front_pocket", 1.0),), orientation="fixed"),
        devices=DeviceRanges(level=0.0),
    )
    return replace(Recipe(name="paper", population=population), **changes)


def posture(**changes: Any) -> Recipe:
    """Every exercise, done correctly and with up to three faults of known severity."""
    exercises = tuple((name, 1.0) for name in EXERCISES)
    return replace(Recipe(name="posture", exercises=exercises, faults=FaultRanges()), **changes)


def counting(**changes: Any) -> Recipe:
    """Sets of ten with pauses between and around them: people stand about, fidget, step, walk and sit down."""
    around = Surroundings(before=0.8, between=0.3, after=0.8, from_seat=0.5, exercised=0.2, brisk=0.7)
    recipe = Recipe(
        name="counting",
        exercises=(("squat", 2.0), ("lunge", 1.0), ("sit_to_stand", 1.0)),
        repetitions_a_set=10,
        population=Population(surroundings=around),
    )
    return replace(recipe, **changes)


def small(**changes: Any) -> Recipe:
    """A few repetitions of the randomised kind, to try things out."""
    return replace(Recipe(name="small", repetitions=60, shard_repetitions=12), **changes)


def stand_in(**changes: Any) -> Recipe:
    """Another population, to stand in for recordings of people: other bodies, habits, mountings and worse devices."""
    population = Population(
        motion=MotionRanges(
            knee_flexion_deg=(80.0, 120.0),
            arms=(("overhead", 1.0), ("crossed", 1.0), ("goblet", 1.0)),
            arm_sd_deg=20.0,
            movement_s=(1.4, 3.0),
            stand_s=(0.4, 1.6),
            sway_deg=(4.0, 10.0),
            tempo_variation=(0.12, 0.12),
            depth_variation=(0.12, 0.12),
        ),
        placement=PlacementRanges(
            phone_spots=(("front_pocket", 1.0),), spread=1.5, tilt_sd_deg=20.0, strap_sd_deg=35.0
        ),
        devices=DeviceRanges(level=1.5, grades=(("raw", 1.0),)),
    )
    recipe = Recipe(name="stand-in", repetitions=80, repetitions_a_set=10, rate_hz=100.0, population=population)
    return replace(recipe, **changes)


PRESETS = {
    "randomised": randomised,
    "paper": paper,
    "posture": posture,
    "counting": counting,
    "small": small,
    "stand-in": stand_in,
}
