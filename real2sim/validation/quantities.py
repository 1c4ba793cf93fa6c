"""What is compared, as data, and how each quantity is measured on a recording, real or simulated."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from real2sim.recordings import Recording
from real2sim.recordings.alignment import labels_on_grid, stream_on_grid
from real2sim.validation import amplitude
from real2sim.validation.movement import Events, Posture, curve, find_events, posture_of, proportions
from squat_env.signals import IMU_MAX_GAP_S, RANGE_MAX_GAP_S, resample, stretches, uniform_grid

RATE_HZ = 50.0  # of the grid to which both sides' inertial signals are brought
LANDMARK_RATE_HZ = 20.0  # of the grid to which both sides' landmarks are brought

Group = Literal["body", "posture", "arms", "feet", "tempo", "range", "watch", "phone"]


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One thing that is compared.

    Attributes:
        name: Its key.
        unit: Of its values.
        group: Where it stands in the table.
        meaning: One line for people.
    """

    name: str
    unit: str
    group: Group
    meaning: str


def _quantities(group: Group, *rows: tuple[str, str, str]) -> tuple[Quantity, ...]:
    return tuple(Quantity(name=name, unit=unit, group=group, meaning=meaning) for name, unit, meaning in rows)


def _device(name: Literal["watch", "phone"]) -> tuple[Quantity, ...]:
    accel, gyro = f"{name} acceleration", f"{name} angular velocity"
    bands = [f"{low:g}-{high:g} Hz" for low, high in amplitude.BANDS_HZ]
    return _quantities(
        name,
        (f"{name}_accel", "m/s^2", f"{accel}, rms of its norm about gravity"),
        (f"{name}_accel_upright", "m/s^2", f"{accel}, the same while upright"),
        (f"{name}_accel_down", "m/s^2", f"{accel}, the same while down"),
        (f"{name}_accel_peak", "m/s^2", f"{accel}, 99th percentile of its norm about gravity"),
        (f"{name}_turn", "deg", f"{name}, how far it tips between upright and down"),
        (f"{name}_gyro", "rad/s", f"{gyro}, rms"),
        (f"{name}_gyro_upright", "rad/s", f"{gyro}, rms while upright"),
        (f"{name}_gyro_down", "rad/s", f"{gyro}, rms while down"),
        (f"{name}_gyro_peak", "rad/s", f"{gyro}, 99th percentile"),
        *((f"{name}_accel_{k}", "m/s^2", f"{accel}, rms of all axes, {band}") for k, band in enumerate(bands)),
        *((f"{name}_gyro_{k}", "rad/s", f"{gyro}, rms of all axes, {band}") for k, band in enumerate(bands)),
    )


QUANTITIES: tuple[Quantity, ...] = (
    *_quantities(
        "body",
        ("hips_length", "leg", "distance of the hips, over leg length"),
        ("shoulders_length", "leg", "distance of the shoulders, over leg length"),
        ("thigh_length", "leg", "thigh, over leg length"),
        ("upper_arm_length", "leg", "upper arm, over leg length"),
        ("forearm_length", "leg", "forearm, over leg length"),
    ),
    *_quantities(
        "posture",
        ("knee_bottom", "deg", "knee flexion at the bottom"),
        ("knee_standing", "deg", "knee flexion while standing"),
        ("knee_travel", "deg", "knee flexion, bottom minus standing"),
        ("hip_bottom", "deg", "hip flexion (trunk to thigh) at the bottom"),
        ("hip_travel", "deg", "hip flexion, bottom minus standing"),
        ("shank_standing", "deg", "shank against the vertical while standing, forwards positive"),
        ("shank_bottom", "deg", "shank against the vertical at the bottom"),
        ("lean_standing", "deg", "trunk lean while standing"),
        ("lean_bottom", "deg", "trunk lean at the bottom"),
        ("lean_travel", "deg", "trunk lean, bottom minus standing"),
        ("drop", "leg", "how far the pelvis sinks, over leg length"),
        ("knee_left_right", "deg", "difference of the knees' flexion at the bottom"),
        ("sideways", "leg", "how far the pelvis moves sideways, over leg length"),
        ("knee_in", "leg", "how far the knees move inwards from standing to the bottom, over leg length"),
    ),
    *_quantities(
        "arms",
        ("upper_arm_standing", "deg", "upper arm from straight down while standing (180 overhead)"),
        ("upper_arm_bottom", "deg", "upper arm from straight down at the bottom"),
        ("upper_arm_travel", "deg", "upper arm, bottom minus standing"),
        ("elbow_standing", "deg", "elbow flexion while standing"),
        ("elbow_bottom", "deg", "elbow flexion at the bottom"),
        ("wrist_wander", "leg", "rms movement of the wrists about the shoulders, over leg length"),
    ),
    *_quantities(
        "feet",
        ("stance", "leg", "distance of the ankles, over leg length"),
        ("toe_out", "deg", "turn of the feet outwards"),
        ("heel_rise", "m", "rise of the higher heel at the bottom"),
    ),
    *_quantities(
        "tempo",
        ("movement_s", "s", "from standing to standing"),
        ("descent_s", "s", "descent"),
        ("bottom_s", "s", "at the bottom (within 5 % of the drop)"),
        ("ascent_s", "s", "ascent"),
        ("bottom_share", "", "bottom over movement (a cosine's is 0.17)"),
        ("descent_share", "", "descent over descent and ascent"),
        ("pause_s", "s", "standing between two repetitions"),
        ("share_down", "", "share of the time labelled down"),
        ("tempo_variation", "", "spread of the movement's time within a set, over its mean"),
        ("depth_variation", "", "spread of the drop within a set, over its mean"),
        ("slowing", "", "movement's time, last third of a set over its first third"),
    ),
    *_quantities(
        "range",
        ("range_upright", "m", "distance of watch and phone while upright"),
        ("range_down", "m", "distance of watch and phone while down"),
        ("range_change", "m", "distance, down minus upright"),
        ("range_swing", "m", "5th to 95th percentile of the distance within a recording"),
    ),
    *_device("watch"),
    *_device("phone"),
)
CURVES: Mapping[str, str] = {
    "knee": "knee flexion [deg]",
    "hip": "hip flexion [deg]",
    "lean": "trunk lean [deg]",
    "range": "distance of watch and phone [m]",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """What one recording says.

    Attributes:
        name: Of the recording.
        subject: Number of the person.
        values: By name of the quantity: (R,) one a repetition, or (1,) one a recording; without NaN, may be empty.
        curves: By name of `CURVES`: (R, 101) over the repetition, from leaving to reaching the standing posture.
    """

    name: str
    subject: int
    values: Mapping[str, np.ndarray]
    curves: Mapping[str, np.ndarray]


def measure(recording: Recording) -> Measured:
    """Measures everything that a recording allows."""
    values: dict[str, np.ndarray] = {}
    curves: dict[str, np.ndarray] = {}
    if recording.landmarks is not None and recording.labels is not None:
        _measure_movement(recording, values, curves)
    if recording.labels is not None:
        labelled = recording.labels.phase[recording.labels.phase >= 0]
        values["share_down"] = (labelled[:, None] == 0).mean(axis=0) if len(labelled) else np.zeros(0)
    if recording.range is not None:
        values |= _measure_range(recording)
    for device in ("watch", "phone"):
        if getattr(recording, device) is not None:
            values |= _measure_device(recording, device)
    known = {name: column[np.isfinite(column)] for name, column in values.items()}
    return Measured(name=recording.name, subject=recording.subject, values=known, curves=curves)


def _measure_movement(recording: Recording, values: dict[str, np.ndarray], curves: dict[str, np.ndarray]) -> None:
    """Posture, arms, feet, tempo and curves of the repetitions that the labels number."""
    stream = recording.landmarks
    assert stream is not None
    time = uniform_grid(stream.t[0], stream.t[-1], LANDMARK_RATE_HZ)
    places = resample(stream.t, stream.values, time, max_gap_s=IMU_MAX_GAP_S)
    whole = np.isfinite(places).all(axis=1)
    landmarks, time = places[whole].reshape(-1, 17, 3), time[whole]
    posture = posture_of(landmarks)
    number = labels_on_grid(recording.labels, time, LANDMARK_RATE_HZ)[1]
    found: list[tuple[Events, Posture, np.ndarray]] = []
    for repetition in np.unique(number[number >= 0]):
        rows = number == repetition
        events = find_events(time[rows], posture.height[rows])
        if events is not None:
            found.append((events, posture[rows], time[rows]))
    if not found:
        return
    rows = [_measure_repetition(*repetition) for repetition in found]
    values |= {name: np.array([row[name] for row in rows]) for name in rows[0]}
    values |= _measure_set([events for events, *_ in found], values["drop"])
    values |= {name: np.array([value]) for name, value in proportions(landmarks).items()}
    for name in ("knee", "hip", "lean"):
        curves[name] = np.array([curve(t, _mean_side(getattr(p, name)), events) for events, p, t in found])
    if recording.range is not None:
        distance = resample(recording.range.t, recording.range.values[:, 0], time, max_gap_s=RANGE_MAX_GAP_S)
        known = np.isfinite(distance)
        curves["range"] = np.array([curve(time[known], distance[known], events) for events, *_ in found])


def _mean_side(values: np.ndarray) -> np.ndarray:
    return values.mean(1) if values.ndim == 2 else values


def _measure_repetition(events: Events, posture: Posture, time: np.ndarray) -> dict[str, float]:
    """Values of one repetition."""
    bottom = (time >= events.bottom) & (time <= events.ascent)
    bottom[posture.height.argmin()] = True
    standing = (time <= events.descent) | (time >= events.stand)
    standing[posture.height.argmax()] = True
    moving = (time >= events.descent) & (time <= events.stand)

    def at(rows: np.ndarray, name: str) -> float:
        return float(np.median(_mean_side(getattr(posture, name)[rows])))

    leg = at(standing, "leg")
    knees = np.median(posture.knee[bottom], axis=0)
    heels = np.median(posture.heel[bottom], axis=0) - np.median(posture.heel[standing], axis=0)
    values = {
        "drop": (at(standing, "height") - float(posture.height.min())) / leg,
        "knee_left_right": abs(float(knees[0] - knees[1])),
        "sideways": amplitude.swing(posture.sideways[moving]) / leg,
        "knee_in": (at(bottom, "knee_in") - at(standing, "knee_in")) / leg,
        "wrist_wander": float(np.sqrt(0.5 * posture.wrist.var(axis=0).sum())) / leg,
        "stance": at(standing, "stance") / leg,
        "toe_out": at(standing, "toe_out"),
        "heel_rise": float(heels.max()),
        "movement_s": events.stand - events.descent,
        "descent_s": events.bottom - events.descent,
        "bottom_s": events.ascent - events.bottom,
        "ascent_s": events.stand - events.ascent,
    }
    values["bottom_share"] = values["bottom_s"] / values["movement_s"]
    values["descent_share"] = values["descent_s"] / (values["descent_s"] + values["ascent_s"])
    for name in ("knee", "hip", "shank", "lean", "upper_arm", "elbow"):
        values[f"{name}_standing"], values[f"{name}_bottom"] = at(standing, name), at(bottom, name)
        values[f"{name}_travel"] = values[f"{name}_bottom"] - values[f"{name}_standing"]
    return values


def _measure_set(events: list[Events], drop: np.ndarray) -> dict[str, np.ndarray]:
    """What only several repetitions in a row tell; empty where there are too few."""
    movement = np.array([item.stand - item.descent for item in events])
    pauses = [after.descent - before.stand for before, after in pairwise(events)]
    third = len(events) // 3
    enough = len(events) >= 3
    return {
        "pause_s": np.array(pauses),
        "tempo_variation": np.array([movement.std(ddof=1) / movement.mean()] if enough else []),
        "depth_variation": np.array([drop.std(ddof=1) / drop.mean()] if enough else []),
        "slowing": np.array([movement[-third:].mean() / movement[:third].mean()] if enough else []),
    }


def _measure_range(recording: Recording) -> dict[str, np.ndarray]:
    stream = recording.range
    assert stream is not None
    phase = labels_on_grid(recording.labels, stream.t, stream.rate_hz)[0]
    distance = stream.values[:, 0]
    upright, down = (_median(distance[phase == value]) for value in (1, 0))
    values = {
        "range_upright": upright,
        "range_down": down,
        "range_change": down - upright,
        "range_swing": amplitude.swing(distance),
    }
    return {name: np.array([value]) for name, value in values.items()}


def _median(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _measure_device(recording: Recording, device: str) -> dict[str, np.ndarray]:
    """Amplitudes and spectra of an inertial stream, on `RATE_HZ` or, if it is slower, on its own rate."""
    stream = getattr(recording, device)
    rate = min(RATE_HZ, stream.rate_hz)
    grid = uniform_grid(stream.t[0], stream.t[-1], rate)
    imu = stream_on_grid(recording, device, grid, rate)
    phase = labels_on_grid(recording.labels, grid, rate)[0]
    moved = {"accel": amplitude.dynamic(imu[:, :3]), "gyro": np.linalg.norm(imu[:, 3:], axis=1)}
    runs = stretches(np.asarray(np.isfinite(imu).all(axis=1)))
    start, stop = max(runs, key=lambda run: run[1] - run[0]) if runs else (0, 0)
    values = {f"{device}_turn": amplitude.turn_deg(imu[phase == 1, :3], imu[phase == 0, :3])}
    for kind, signal in moved.items():
        name = f"{device}_{kind}"
        values[name], values[f"{name}_peak"] = amplitude.rms(signal), amplitude.peak(signal)
        values[f"{name}_upright"] = amplitude.rms(signal[phase == 1])
        values[f"{name}_down"] = amplitude.rms(signal[phase == 0])
        axes = imu[start:stop, :3] if kind == "accel" else imu[start:stop, 3:]
        values |= {f"{name}_{k}": float(value) for k, value in enumerate(amplitude.band_rms(axes, rate))}
    return {name: np.array([value]) for name, value in values.items()}
