"""Bands that were published, and bands that are assumed: what simulated squats are held against without recordings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from real2sim.validation.comparison import Spread
from real2sim.validation.quantities import QUANTITIES, Measured

ASSUMED = "assumed"
LORENZETTI = "Lorenzetti et al. 2018, BMC Sports Sci Med Rehabil 10:14"


@dataclass(frozen=True, kw_only=True)
class Band:
    """Where a quantity of people's squats lies.

    Attributes:
        name: Of a quantity of `QUANTITIES` or of a load.
        low, high: Ends of the band, in the quantity's unit.
        source: Author, year and place, or `ASSUMED`.
    """

    name: str
    low: float
    high: float
    source: str

    @property
    def assumed(self) -> bool:
        """Whether nobody has published it."""
        return self.source == ASSUMED


LOADS: Mapping[str, tuple[str, str]] = {
    "knee_torque": ("N m/kg", "peak extension torque of a knee, over body mass"),
    "hip_torque": ("N m/kg", "peak extension torque of a hip, over body mass"),
    "ankle_torque": ("N m/kg", "peak plantarflexion torque of an ankle, over body mass"),
    "ground_force": ("body weights", "peak vertical ground force, both feet"),
    "ankle_flexion": ("deg", "peak dorsiflexion"),
}
"""What only the simulation tells, by inverse dynamics: unit and meaning."""

BANDS: tuple[Band, ...] = (
    Band(name="knee_bottom", low=40.0, high=140.0, source=ASSUMED),  # quarter to deep squats
    # the hip centres lie 0.72 of the pelvis' width apart (Bell et al. 1989, Human Movement Science 8:3); widths assumed
    Band(name="hips_length", low=0.17, high=0.26, source=ASSUMED),
    Band(name="toe_out", low=0.0, high=42.0, source=LORENZETTI),
    Band(name="movement_s", low=1.5, high=6.0, source=ASSUMED),
    Band(name="descent_share", low=0.5, high=0.65, source=ASSUMED),
    Band(name="tempo_variation", low=0.05, high=0.15, source=ASSUMED),
    Band(name="lean_bottom", low=10.0, high=55.0, source=ASSUMED),
    Band(name="knee_torque", low=0.5, high=2.0, source=ASSUMED),
    Band(name="hip_torque", low=0.4, high=2.0, source=ASSUMED),
    Band(name="ankle_torque", low=0.1, high=0.9, source=ASSUMED),
    Band(name="ground_force", low=1.05, high=1.8, source=ASSUMED),
    Band(name="ankle_flexion", low=15.0, high=45.0, source=ASSUMED),
)


@dataclass(frozen=True, kw_only=True)
class Held:
    """A quantity of the simulation, held against a band.

    Attributes:
        band: The band.
        unit, meaning: Of the quantity.
        simulated: Percentiles.
        inside: Share of the simulated values in the band.
    """

    band: Band
    unit: str
    meaning: str
    simulated: Spread
    inside: float


def hold(simulated: Sequence[Measured], loads: Mapping[str, np.ndarray]) -> list[Held]:
    """Holds simulated squats and the loads (n,) of their sets against every band that applies."""
    known = {quantity.name: (quantity.unit, quantity.meaning) for quantity in QUANTITIES} | dict(LOADS)
    values = {quantity.name: [item.values.get(quantity.name, []) for item in simulated] for quantity in QUANTITIES}
    held = []
    for band in BANDS:
        column = loads[band.name] if band.name in loads else np.concatenate(values.get(band.name) or [[]])
        spread = Spread.of(column)
        if spread is not None:
            unit, meaning = known[band.name]
            inside = float(((column >= band.low) & (column <= band.high)).mean())
            held.append(Held(band=band, unit=unit, meaning=meaning, simulated=spread, inside=inside))
    return held
