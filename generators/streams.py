"""What one watch and phone record of a simulated set: their streams on the recording's grid, and range readings."""

from dataclasses import dataclass

import numpy as np

from generators.recipe import Recipe
from squat_env.inertial import measure_imu
from squat_env.population import Seeds, Wearing
from squat_env.ranging import measure_range
from squat_env.sensors import Ideal, Scene
from squat_env.signals import imu_to_grid, range_to_grid
from squat_env.wobble import wobble

UNIT_HZ = 100.0  # what the devices are asked for, unless the recording is faster


@dataclass(frozen=True, kw_only=True)
class Streams:
    """What was recorded with one mounting.

    Attributes:
        sample: (T, ...) by field name.
        range: (R,) by field name.
    """

    sample: dict[str, np.ndarray]
    range: dict[str, np.ndarray]


def record(
    recipe: Recipe, seeds: Seeds, mounting: int, wearing: Wearing, ideal: Ideal, scene: Scene, every: int
) -> Streams:
    """Measures a set with the devices of one mounting.

    Args:
        recipe: Rates.
        seeds: Of the set.
        mounting: Number of the mounting; each has noise of its own.
        wearing: Its devices.
        ideal: (N,) What ideal ones read at the physics rate.
        scene: (T,) What lies between them.
        every: Physics steps from one sample of the grid to the next.
    """
    grid = ideal.time[::every]
    watch, phone, link = seeds.generator("noise", mounting=mounting).spawn(3)
    sample: dict[str, np.ndarray] = {}
    for device, noise in (("watch", watch), ("phone", phone)):
        both = _measure_unit(recipe, wearing, ideal, device, grid, noise)
        sample[f"{device}_accel"], sample[f"{device}_gyro"] = both[:, :3], both[:, 3:]
    when, reading = measure_range(
        grid, ideal.distance[::every], scene.thickness, wearing.devices.range, link, rate_hz=recipe.range_hz
    )
    sample["range"] = range_to_grid(when, reading, grid)[0]
    sample["range_ideal"] = ideal.distance[::every]
    sample["line_of_sight"] = scene.line_of_sight.astype(np.uint8)
    sample["body_thickness"] = scene.thickness
    return Streams(sample=sample, range={"range_time": when, "range_reading": reading})


def _measure_unit(
    recipe: Recipe, wearing: Wearing, ideal: Ideal, device: str, grid: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """One device's stream on the grid, accel and gyro (T, 6): recorded on its own clock, then prepared as real ones."""
    accel, gyro, _ = wobble(
        getattr(ideal, f"{device}_accel"),
        getattr(ideal, f"{device}_gyro"),
        getattr(wearing.placement, device).looseness,
        timestep_s=float(ideal.time[1] - ideal.time[0]),
    )
    errors = getattr(wearing.devices, device)
    stamps, accel, gyro = measure_imu(ideal.time, accel, gyro, errors, rng, rate_hz=max(recipe.rate_hz, UNIT_HZ))
    return imu_to_grid(stamps, np.column_stack([accel, gyro]), grid, rate_hz=recipe.rate_hz)
