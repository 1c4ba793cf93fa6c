"""Small builders for the tests of the simulator."""

import numpy as np

from squat_env.body import Body
from squat_env.model import build_model
from squat_env.motion import Cycle, Motion
from squat_env.placement import Mounting, Placement
from squat_env.reference import Reference, plan
from squat_env.simulate import Simulation, simulate

BODY = Body(height_m=1.75, mass_kg=72.0)
STILL = Motion(sway_deg=0.0, cycles=(Cycle(before_s=0.5, after_s=0.5),))


def mounted(side: str = "left", **changes) -> Placement:
    """Watch on one wrist, phone in the pocket of the same side."""
    watch = Mounting(spot="wrist", side=side, along=0.92, azimuth_deg=80.0, turn_deg=90.0)
    phone = Mounting(spot="front_pocket", side=side, along=0.3, azimuth_deg=40.0, tilt_deg=(10.0, 0.0))
    return Placement(**{"watch": watch, "phone": phone, **changes})


def performed(motion: Motion = STILL, placement: Placement | None = None) -> tuple:
    """Model, reference and simulation of a motion."""
    model = build_model(BODY, placement or mounted())
    reference: Reference = plan(model, BODY, motion)
    done: Simulation = simulate(model, reference)
    return model, reference, done


def rms(values: np.ndarray) -> float:
    """Root of the mean square of all values."""
    return float(np.sqrt(np.mean(np.square(values))))
