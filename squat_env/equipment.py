"""What an exercise is done with: a bar or dumbbells, a seat, the floor to lie on."""

from dataclasses import dataclass
from typing import Literal

Load = Literal["none", "bar", "dumbbells"]
LOADS: tuple[Load, ...] = ("none", "bar", "dumbbells")


@dataclass(frozen=True, kw_only=True)
class Equipment:
    """The things around a person.

    Attributes:
        load: What the hands hold. A bar is cut in its middle: each hand carries one half of it.
        load_kg: Mass in both hands together.
        seat_height_m: Of a bench behind the person; 0 is no bench.
        mat: The person lies on the floor: back and head touch it too.
    """

    load: Load = "none"
    load_kg: float = 0.0
    seat_height_m: float = 0.0
    mat: bool = False

    def __post_init__(self):
        if self.load not in LOADS:
            raise ValueError(f"load is {self.load!r}, expected one of {LOADS}")
        if not 0.0 <= self.load_kg <= 200.0 or (self.load == "none") != (self.load_kg == 0.0):
            raise ValueError(f"load {self.load!r} has {self.load_kg} kg, expected 0 for none and up to 200 for others")
        if self.seat_height_m and not 0.25 <= self.seat_height_m <= 0.7:
            raise ValueError(f"seat_height_m is {self.seat_height_m}, expected 0.25 to 0.7, or 0 for no bench")


NO_EQUIPMENT = Equipment()
