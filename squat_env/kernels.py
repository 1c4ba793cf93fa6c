"""What is worked out sample by sample: the readings of every step of an environment, and coloured noise."""

import math

import numpy as np

from squat_env.compiled import compiled

DEVICES = 2


@compiled
def squares(qpos: np.ndarray, planned: np.ndarray, residual: np.ndarray) -> tuple[float, float]:
    """Sums of squares of the joints' distance from the plan, (7 + n,) and (n,), and of a residual (n,)."""
    missed, added = 0.0, 0.0
    for k in range(len(planned)):
        missed += (qpos[7 + k] - planned[k]) ** 2
        added += residual[k] ** 2
    return missed, added


@compiled
def read_units(
    readings: np.ndarray,
    state: np.ndarray,
    swings: np.ndarray,
    errors: np.ndarray,
    steps: np.ndarray,
    offset: np.ndarray,
    out: np.ndarray,
) -> None:
    """What two inertial units deliver after some ticks.

    Args:
        readings: (n, >= 12) ideal readings of the ticks: accel and gyro of both devices.
        state: (2, 2) of the swings, real and imaginary part, goes on.
        swings: (2, 19) of both devices, see `instruments.Units`; a play of 0 is tight.
        errors: (4, 3, 3) scale and cross-axis sensitivity, over the ticks and the units' steps.
        steps: (3, 12) lowest and highest reading in steps of the units, and the steps.
        offset: (12,) bias and noise of this sample in steps.
        out: (12,) overwritten.
    """
    felt = np.zeros(12)
    for device in range(DEVICES):
        if swings[device, 0] > 0.0:
            _swing(readings, 6 * device, state[device], swings[device], felt)
        else:
            for k in range(len(readings)):
                for column in range(6 * device, 6 * device + 6):
                    felt[column] += readings[k, column]
    for column in range(12):
        part, row = divmod(column, 3)
        value = offset[column]
        for k in range(3):
            value += errors[part, row, k] * felt[3 * part + k]
        out[column] = min(max(np.rint(value), steps[0, column]), steps[1, column]) * steps[2, column]


@compiled
def read_lanes(
    lanes: np.ndarray,
    samples: np.ndarray,
    readings: np.ndarray,
    units: tuple[np.ndarray, ...],
    offset: np.ndarray,
    out: np.ndarray,
) -> None:
    """`read_units` of some of N lanes.

    Args:
        lanes, samples: (L,) numbers of the lanes, and of their samples.
        readings: (L, n, >= 12).
        units: (N, ...) `state`, `swings`, `errors`, and `steps`.
        offset: (N, S, 12).
        out: (N, >= 12) overwritten in the first columns.
    """
    state, swings, errors, steps = units
    for row in range(len(lanes)):
        lane = lanes[row]
        noise, seen = offset[lane, samples[row]], out[lane, :12]
        read_units(readings[row], state[lane], swings[lane], errors[lane], steps[lane], noise, seen)


@compiled
def targets_of_lanes(
    lanes: np.ndarray, ticks: np.ndarray, targets: np.ndarray, residuals: np.ndarray, count: int
) -> np.ndarray:
    """Targets (L, count, n) of some of N lanes from their ticks (L,) on: `targets` (N, T, n) and residuals (L, n)."""
    control = np.empty((len(lanes), count, targets.shape[2]))
    for row in range(len(lanes)):
        for tick in range(count):
            for joint in range(targets.shape[2]):
                control[row, tick, joint] = targets[lanes[row], ticks[row] + tick, joint] + residuals[row, joint]
    return control


@compiled
def square_lanes(
    lanes: np.ndarray, samples: np.ndarray, qpos: np.ndarray, planned: np.ndarray, residuals: np.ndarray
) -> np.ndarray:
    """`squares` (L, 2) of some of N lanes: `qpos` (L, 7 + n), `planned` (N, S, n), `residuals` (L, n)."""
    found = np.empty((len(lanes), 2))
    for row in range(len(lanes)):
        found[row] = squares(qpos[row], planned[lanes[row], samples[row]], residuals[row])
    return found


@compiled
def _swing(readings: np.ndarray, first: int, state: np.ndarray, swing: np.ndarray, felt: np.ndarray) -> None:
    """Adds up what a loose device feels; see `wobble.wobble`, of which this is one tick after the other."""
    play, arm, pole = swing[0], swing[1], complex(swing[2], swing[3])
    growth, late, early = complex(swing[4], swing[5]), complex(swing[6], swing[7]), complex(swing[8], swing[9])
    basis, stiffness = swing[10:].reshape(3, 3), pole.real**2 + pole.imag**2
    carried = complex(state[0], state[1])
    total, part = np.zeros(6), np.empty(6)
    for tick in range(len(readings)):
        for k in range(6):
            begin, column = first + k // 3 * 3, k % 3
            part[k] = (
                readings[tick, begin] * basis[0, column]
                + readings[tick, begin + 1] * basis[1, column]
                + readings[tick, begin + 2] * basis[2, column]
            )
        drive = -part[1] / arm
        z = late * drive + carried
        carried = early * drive + growth * z
        phi = z.imag / pole.imag
        speed = z.real + pole.real * phi
        rise = drive + 2.0 * pole.real * speed - stiffness * phi
        share = math.tanh(phi / play)
        slope = 1.0 - share**2
        rise = slope * (rise - 2.0 / play * share * speed**2)
        angle, speed = play * share, slope * speed
        cos, sin = math.cos(angle), math.sin(angle)
        out, arc = cos * part[3] + sin * part[4], cos * part[4] - sin * part[3]
        total[0] += cos * part[0] + sin * part[1] - arm * speed**2 - 2.0 * arm * speed * part[5]
        total[1] += cos * part[1] - sin * part[0] + arm * rise
        total[2] += part[2] + 2.0 * arm * speed * out
        total[3] += out
        total[4] += arc
        total[5] += part[5] + speed
    state[0], state[1] = carried.real, carried.imag
    for k in range(6):
        begin, row = k // 3 * 3, k % 3
        felt[first + k] += (
            basis[row, 0] * total[begin] + basis[row, 1] * total[begin + 1] + basis[row, 2] * total[begin + 2]
        )


@compiled
def add_gauss_markov(kept: float, start: np.ndarray, steps: np.ndarray, total: np.ndarray) -> None:
    """Adds stationary first-order Gauss-Markov processes of unit variance to `total` (T, C).

    Args:
        kept: Correlation of neighbouring samples.
        start: (C,) standard normal draws: the samples before the first.
        steps: (T, C) standard normal draws.
        total: Overwritten.
    """
    new, value = math.sqrt(1.0 - kept**2), start.copy()
    for k in range(len(steps)):
        for column in range(len(value)):
            value[column] = new * steps[k, column] + kept * value[column]
            total[k, column] += value[column]


@compiled
def sums_of_waves(amplitude: np.ndarray, turn: np.ndarray, phase: np.ndarray, count: int) -> np.ndarray:
    """Sums (count, C) of sinusoids at equal steps; (C, W) their amplitudes, turns a step and first phases [rad]."""
    sums = np.zeros((count, len(turn)))
    for column in range(len(turn)):
        for wave in range(turn.shape[1]):
            cos, sin = math.cos(turn[column, wave]), math.sin(turn[column, wave])
            across, along = math.cos(phase[column, wave]), math.sin(phase[column, wave])
            for k in range(count):
                sums[k, column] += amplitude[column, wave] * along
                across, along = across * cos - along * sin, along * cos + across * sin
    return sums


@compiled
def filter_sections(sections: np.ndarray, settled: np.ndarray, x: np.ndarray) -> None:
    """Filters samples in place, as if the first of them had been there always.

    Args:
        sections: (S, 6) second-order sections b0, b1, b2, 1, a1, a2, one after the other.
        settled: (S, 2) their state under a constant input of 1 (transposed direct form II).
        x: (T, C) overwritten.
    """
    columns = x.shape[1]
    state = np.empty((len(sections), 2, columns))
    for number in range(len(sections)):
        for k in range(2):
            state[number, k] = settled[number, k] * x[0]
    for row in range(len(x)):
        for number in range(len(sections)):
            b0, b1, b2, _, a1, a2 = sections[number]
            for column in range(columns):
                value = x[row, column]
                new = b0 * value + state[number, 0, column]
                state[number, 0, column] = b1 * value - a1 * new + state[number, 1, column]
                state[number, 1, column] = b2 * value - a2 * new
                x[row, column] = new
