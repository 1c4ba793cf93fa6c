"""What loose devices feel, a few ticks at a time: `wobble.wobble` for agents that cannot wait for a whole stream.

Two facts make it cheap. Between its stops a swing is linear: one matrix takes the accelerations along the arc, tick by
tick, and the state to the swing and to the state afterwards. And the mean of what a swinging device feels is linear in
the means of products of a tight device's readings with a few functions of the swing, the `courses`.
"""

import numpy as np

from squat_env.model import TIMESTEP_S
from squat_env.wobble import Looseness, swing_basis

COURSES = ("cos", "sin", "speed", "speed_cos", "speed_sin", "speed_speed", "rise", "one")
FELT = ("accel_out", "accel_arc", "accel_axis", "gyro_out", "gyro_arc", "gyro_axis", "one")
ARC = FELT.index("accel_arc")


def basis_of(looseness: Looseness) -> np.ndarray:
    """Columns (6, 6) that take a row of accel and gyro to the parts of `FELT`, by multiplication from the right."""
    basis = swing_basis(looseness) if looseness.play_deg else np.eye(3)
    return np.block([[basis, np.zeros((3, 3))], [np.zeros((3, 3)), basis]])


def swing_matrix(looseness: Looseness, ticks: int) -> np.ndarray:
    """The linear part of a device's swing, (3 n + 2, n + 2); zero for a tight one.

    It takes n accelerations along the arc [m/s^2] and the state, real and imaginary part, to n angles over the play, n
    angular velocities [rad/s] and accelerations [rad/s^2] without stops, and the state afterwards.
    """
    matrix = np.zeros((3 * ticks + 2, ticks + 2))
    if not looseness.play_deg:
        return matrix
    omega, damping, pole, arm = _constants(looseness)
    growth, late, early = _recursion(pole)
    tick, drive = np.arange(ticks), np.eye(ticks, ticks + 2) / -arm
    since = tick[:, None] - tick
    z = np.zeros((ticks, ticks + 2), complex)
    z[:, :ticks] = np.where(since > 0, growth ** np.maximum(since - 1, 0) * (early + growth * late), 0.0)
    z[tick, tick] = late
    z[:, :ticks] /= -arm
    z[:, ticks:] = growth ** tick[:, None] * [1.0, 1j]
    angle = z.imag / pole.imag
    speed = z.real + pole.real * angle
    rise = drive - damping * speed - omega**2 * angle
    after = early * drive[-1] + growth * z[-1]
    return np.vstack([angle / np.deg2rad(looseness.play_deg), speed, rise, after.real, after.imag])


def hanging(looseness: Looseness) -> np.ndarray:
    """A device at rest under 1 m/s^2 along the arc: its angle over the play and its state (3,); 0 if tight."""
    if not looseness.play_deg:
        return np.zeros(3)
    omega, _, pole, arm = _constants(looseness)
    state = (1.0 / pole + _recursion(pole)[1]) / arm
    return np.array([-1.0 / (arm * omega**2 * np.deg2rad(looseness.play_deg)), state.real, state.imag])


def _constants(looseness: Looseness) -> tuple[float, float, complex, float]:
    """Frequency [rad/s], damping [1/s], pole [1/s] and arm [m]."""
    omega, zeta = 2.0 * np.pi * looseness.natural_hz, looseness.damping
    pole = omega * complex(-zeta, np.sqrt(1.0 - zeta**2))
    return omega, 2.0 * zeta * omega, pole, float(np.linalg.norm(looseness.arm_m))


def _recursion(pole: complex) -> tuple[complex, complex, complex]:
    """What one tick makes of the state, of the drive at its end and of the drive at its beginning."""
    growth = np.exp(pole * TIMESTEP_S)
    late = (growth - 1.0 - pole * TIMESTEP_S) / (pole**2 * TIMESTEP_S)
    return growth, late, (growth - 1.0) / pole - late


def courses(free: np.ndarray, play: np.ndarray) -> np.ndarray:
    """The functions `COURSES` of swings between their stops, (8, ..., n).

    Args:
        free: (3, ..., n) angle over the play, angular velocity and acceleration without stops.
        play: (..., 1) [rad], above 0.
    """
    angle, speed, rise = free
    found = np.empty((len(COURSES), *angle.shape))
    share = np.tanh(angle)
    slope = 1.0 - share * share
    angle = play * share
    np.cos(angle, out=found[0])
    np.sin(angle, out=found[1])
    np.multiply(slope, speed, out=found[2])
    np.multiply(found[:3], found[2], out=found[3:6])
    share *= speed
    share *= found[2] / (-0.5 * play)
    np.multiply(slope, rise, out=found[6])
    found[6] += share
    found[7] = 1.0
    return found


def felt_mean(looseness: Looseness, ticks: int) -> np.ndarray:
    """What a device feels in the mean of n ticks, from the sums of products of `COURSES` with `FELT`, (6, 8, 7).

    The result is accel and gyro in the device's frame.
    """
    arm = float(np.linalg.norm(looseness.arm_m))
    terms = {
        "accel_out": {"cos accel_out": 1, "sin accel_arc": 1, "speed gyro_axis": -2 * arm, "speed_speed one": -arm},
        "accel_arc": {"cos accel_arc": 1, "sin accel_out": -1, "rise one": arm},
        "accel_axis": {"one accel_axis": 1, "speed_cos gyro_out": 2 * arm, "speed_sin gyro_arc": 2 * arm},
        "gyro_out": {"cos gyro_out": 1, "sin gyro_arc": 1},
        "gyro_arc": {"cos gyro_arc": 1, "sin gyro_out": -1},
        "gyro_axis": {"one gyro_axis": 1, "speed one": 1},
    }
    matrix = np.zeros((6, len(COURSES), len(FELT)))
    for row, products in enumerate(terms.values()):
        for product, factor in products.items():
            course, part = product.split()
            matrix[row, COURSES.index(course), FELT.index(part)] = factor / ticks
    return np.tensordot(basis_of(looseness), matrix, 1)
