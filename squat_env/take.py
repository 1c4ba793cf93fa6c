"""One uninterrupted capture of a simulated person: repetitions under physics, and what surrounds them, in one stream.

The pieces are put together so that poses, velocities and accelerations go on; a set that is cut off at the seat begins
with a rise and ends with the descent that went before it. The ground is the same everywhere, so what follows an
interlude is turned and shifted to where the person has walked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import mujoco
import numpy as np

from squat_env.coordinates import Course, coordinates_of, moved
from squat_env.footwork import KNOT_HZ, Footing, Footwork
from squat_env.geometry import Geometry
from squat_env.interlude import Interlude, Passage, Poise, perform
from squat_env.labels import Phases
from squat_env.placement import SIDES
from squat_env.playback import play
from squat_env.population import Prepared
from squat_env.reference import Reference
from squat_env.rotations import about
from squat_env.simulate import Simulation
from squat_env.sitting import sit_still
from squat_env.surroundings import Setting
from squat_env.timeline import ASCENT, BOTTOM, DESCENT

EXERCISE, STANDING, WALKING, SITTING = range(4)
STEPPING = 0.12  # intensity of the gait from which on a person walks
SLOPE_ROWS = 12  # on either side, from which velocity and acceleration are taken
KNOT_ROWS = 8  # between the knots of what is played back faster
FLAT_RAD = np.deg2rad(0.5)


@dataclass(frozen=True, kw_only=True)
class Take:
    """A capture at the physics rate.

    Attributes:
        simulation: Its states and ideal readings.
        phase4: (N,) int8: 0 stand, 1 descent, 2 bottom, 3 ascent.
        repetition: (N,) int64 the repetition that a sample is kept with, increasing.
        phase: (N,) int8: 1 upright, 0 down; around repetitions down is seated, where the pelvis says so or not.
        activity: (N,) int8: 0 the exercise, 1 standing about, 2 walking, 3 sitting.
        dynamics: (N,) uint8: 1 simulated under physics, 0 poses played back; a hasty set's own poses are played too.
        starts: (R + 1,) where each repetition's samples begin, and the end [s].
    """

    simulation: Simulation
    phase4: np.ndarray
    repetition: np.ndarray
    phase: np.ndarray
    activity: np.ndarray
    dynamics: np.ndarray
    starts: np.ndarray


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """Some rows of the physics, or an interlude between two of its rows (None: an end of the recording).

    One that leaves and meets the same row on a seat is done there (`sits`).
    """

    owner: int
    rows: tuple[int, int] = (0, 0)
    interlude: Interlude | None = None
    leaves: int | None = None
    meets: int | None = None
    sits: bool = False


@dataclass(frozen=True, kw_only=True)
class _Part:
    """What a piece comes to, as in `Take`."""

    simulation: Simulation
    phase4: np.ndarray
    repetition: np.ndarray
    activity: np.ndarray
    dynamics: np.ndarray


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """Where a piece's own ground lies on that of the capture: shift (2,) [m] after a turn [rad]."""

    place: np.ndarray
    yaw: float

    def at(self, point: np.ndarray) -> np.ndarray:
        """A point (2,) of the piece's ground on the capture's."""
        return self.place + about("z", self.yaw)[:2, :2] @ point

    def such_that(self, point: np.ndarray, there: np.ndarray) -> "_Frame":
        """The frame of the same yaw in which a point of the piece is `there`."""
        return replace(self, place=there - about("z", self.yaw)[:2, :2] @ point)


def capture(prepared: Prepared, simulation: Simulation, setting: Setting | None = None) -> Take:
    """Puts a simulated set and what surrounds it together.

    Raises:
        InfeasibleMotion: An interlude asks more of a leg than it has.
    """
    if setting is None or not (setting.interludes or setting.haste > 1.0):
        return _bare(prepared, simulation)
    reference, model, draw = prepared.reference, prepared.model, prepared.draw
    geometry = Geometry.of(draw.body, draw.motion, reference.exercise, draw.equipment)
    data = prepared.data or mujoco.MjData(model)
    stance = _Stance(model, data, geometry, simulation, reference, setting.haste)
    parts: list[_Part] = []
    frame, here = _Frame(place=np.zeros(2), yaw=0.0), np.zeros(2)
    for piece in _order(reference.repetition, reference.phase4, setting):
        if piece.interlude is None:
            begin, end = piece.rows
            origin = stance.origin(begin)
            frame = frame.such_that(origin, here if parts else origin)
            part = _simulated(model, data, reference, simulation, piece, setting)
            here = frame.at(stance.origin(min(end, len(reference.time) - 1)))
        elif piece.sits:
            row = piece.meets if piece.leaves is None else piece.leaves
            assert row is not None
            if not parts:
                frame, here = replace(frame, place=stance.origin(row)), stance.origin(row)
            part = _rested(piece, stance.poise(row), model, data)
            frame = replace(frame, place=here)
        else:
            passage = _passage(piece, stance, geometry, setting, model.opt.timestep)
            frame = replace(frame, place=here)
            if piece.leaves is None:  # the repetitions begin where they were simulated
                frame = _Frame(place=here, yaw=-passage.end[2]).such_that(passage.end[:2], stance.origin(0))
            part = _played(model, data, piece.interlude, passage, piece.owner)
        parts.append(replace(part, simulation=_moved(part.simulation, frame)))
        if piece.interlude is not None and not piece.sits:
            here, frame = frame.at(passage.end[:2]), replace(frame, yaw=frame.yaw + passage.end[2])
    return _joined(parts, reference, model.opt.timestep)


def _moved(simulation: Simulation, frame: _Frame) -> Simulation:
    return replace(simulation, qpos=moved(simulation.qpos, frame.place, frame.yaw))


def _simulated(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    reference: Reference,
    simulation: Simulation,
    piece: _Piece,
    setting: Setting,
) -> _Part:
    """Some rows of the physics, or the same played back faster."""
    begin, end = piece.rows
    rows = np.arange(begin, end)
    if setting.haste > 1.0:
        count = round((end - begin) / setting.haste)
        haste = (end - begin) / count
        rows = begin + np.arange(count) * haste
        part = _hastened(model, data, simulation, rows, haste)
        rows = rows.astype(int)
    else:
        part = Simulation(
            time=simulation.time[begin:end], qpos=simulation.qpos[begin:end], sensors=simulation.sensors[begin:end]
        )
    return _Part(
        simulation=part,
        phase4=reference.phase4[rows],
        repetition=_seats(reference, rows, piece) if setting.seated else reference.repetition[rows],
        activity=np.zeros(len(rows), np.int8),
        dynamics=np.full(len(rows), setting.haste == 1.0, np.uint8),
    )


def _hastened(
    model: mujoco.MjModel, data: mujoco.MjData, simulation: Simulation, rows: np.ndarray, haste: float
) -> Simulation:
    """The states at fractional rows, so many times faster than they were simulated."""
    first, last = int(rows[0]), min(int(rows[-1]) + 2 * KNOT_ROWS, len(simulation.time) - 1)
    knots = np.unique([*range(first, last, KNOT_ROWS), last])
    course = Course.splined(knots, coordinates_of(simulation.qpos[knots]), rows)
    speed = haste / model.opt.timestep
    return play(model, Course(value=course.value, rate=course.rate * speed, curve=course.curve * speed**2), data)


def _played(model: mujoco.MjModel, data: mujoco.MjData, interlude: Interlude, passage: Passage, owner: int) -> _Part:
    played = play(model, passage.course, data)
    count = len(played.time)
    return _Part(
        simulation=played,
        phase4=np.zeros(count, np.int8),
        repetition=np.full(count, owner),
        activity=_activity(interlude, passage, played.time),
        dynamics=np.zeros(count, np.uint8),
    )


def _rested(piece: _Piece, poise: Poise, model: mujoco.MjModel, data: mujoco.MjData) -> _Part:
    """What is done on the seat."""
    assert piece.interlude is not None
    free = piece.leaves is None, piece.meets is None
    course = sit_still(piece.interlude, poise, timestep=model.opt.timestep, free=free)
    played = play(model, course, data)
    count = len(played.time)
    return _Part(
        simulation=played,
        phase4=np.full(count, BOTTOM, np.int8),
        repetition=np.full(count, piece.owner),
        activity=np.full(count, SITTING, np.int8),
        dynamics=np.zeros(count, np.uint8),
    )


def _bare(prepared: Prepared, simulation: Simulation) -> Take:
    reference = prepared.reference
    return Take(
        simulation=simulation,
        phase4=reference.phase4,
        repetition=reference.repetition,
        phase=Phases.of(reference).phase(simulation.qpos, reference.repetition),
        activity=np.zeros(len(reference.time), np.int8),
        dynamics=np.ones(len(reference.time), np.uint8),
        starts=np.cumsum([0.0, *(cycle.duration_s for cycle in prepared.draw.motion.cycles)]),
    )


def _joined(parts: Sequence[_Part], reference: Reference, timestep: float) -> Take:
    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    simulations, repetition, activity = [part.simulation for part in parts], joined("repetition"), joined("activity")
    count, qpos = len(repetition), np.concatenate([one.qpos for one in simulations])
    bounds = np.searchsorted(repetition, np.arange(reference.repetition[-1] + 1))
    phase = Phases.of(reference).phase(qpos, repetition)
    if reference.exercise.phase_of != "pelvis":
        phase = np.where(activity == EXERCISE, phase, (activity != SITTING).astype(np.int8))
    return Take(
        simulation=Simulation(
            time=np.arange(count) * timestep,
            qpos=qpos,
            sensors=np.concatenate([one.sensors for one in simulations]),
        ),
        phase4=joined("phase4"),
        repetition=repetition,
        phase=phase,
        activity=activity,
        dynamics=joined("dynamics"),
        starts=np.array([*bounds, count]) * timestep,
    )


def _order(repetition: np.ndarray, phase4: np.ndarray, setting: Setting) -> list[_Piece]:
    """The pieces one after the other."""
    count, last = int(repetition[-1]) + 1, len(repetition) - 1
    cuts = [0, *np.searchsorted(repetition, np.arange(1, count)).tolist(), last]
    pieces: list[_Piece] = []
    begin = 0
    if setting.seated:
        begin = _seat(repetition, phase4, 0)
        if setting.resting[0] is not None:
            pieces.append(_Piece(owner=0, interlude=setting.resting[0], meets=begin, sits=True))
    elif setting.before is not None:
        pieces.append(_Piece(owner=0, interlude=setting.before, meets=0))
    for number, between in enumerate(setting.between):
        if between is not None:
            cut = cuts[number + 1]
            pieces.append(_Piece(owner=number, rows=(begin, cut)))
            pieces.append(_Piece(owner=number, interlude=between, leaves=cut, meets=cut))
            begin = cut
    ends = setting.seated or setting.after is not None
    if setting.seated:  # nobody stands still between rising, walking and sitting down
        last = int(np.flatnonzero(phase4 == ASCENT)[-1]) + 1
    pieces.append(_Piece(owner=count - 1, rows=(begin, last if ends else last + 1)))
    if setting.seated:
        first, seat = int(np.flatnonzero(phase4 == DESCENT)[0]), _seat(repetition, phase4, 0)
        pieces.append(_Piece(owner=count - 1, interlude=setting.around, leaves=last, meets=first))
        pieces.append(_Piece(owner=count - 1, rows=(first, seat)))
        if setting.resting[1] is not None:
            pieces.append(_Piece(owner=count - 1, interlude=setting.resting[1], leaves=seat, sits=True))
    elif setting.after is not None:
        pieces.append(_Piece(owner=count - 1, interlude=setting.after, leaves=last))
    return pieces


def _seat(repetition: np.ndarray, phase4: np.ndarray, number: int) -> int:
    """The row in the middle of a repetition's time on the seat."""
    return int(np.median(np.flatnonzero((repetition == number) & (phase4 == BOTTOM))))


def _seats(reference: Reference, rows: np.ndarray, piece: _Piece) -> np.ndarray:
    """From seat to seat: the repetition (N,) that each of some rows of a set that begins seated is kept with."""
    seats = [
        _seat(reference.repetition, reference.phase4, number) for number in range(int(reference.repetition[-1]) + 1)
    ]
    if piece.rows[1] <= seats[0]:
        return np.full(len(rows), piece.owner)
    return np.searchsorted(seats, rows, "right") - 1


def _passage(piece: _Piece, stance: "_Stance", geometry: Geometry, setting: Setting, timestep: float) -> Passage:
    assert piece.interlude is not None
    ends = [stance.poise(row) if row is not None else None for row in (piece.leaves, piece.meets)]
    start, end = (one or next(other.still for other in ends if other is not None) for one in ends)
    free = piece.leaves is None, piece.meets is None
    return perform(piece.interlude, geometry, setting.gait, start, end, timestep=timestep, free=free)


def _activity(interlude: Interlude, passage: Passage, time: np.ndarray) -> np.ndarray:
    """Standing about, walking or sitting, (N,) int8."""
    work: Footwork = passage.footwork
    knots = np.minimum((time * KNOT_HZ).astype(int), len(work.time) - 1)
    activity = np.where(work.intensity[knots] > STEPPING, WALKING, STANDING).astype(np.int8)
    for dip in interlude.dips:
        if not dip.up_s:
            activity[time > dip.start_s + dip.down_s] = SITTING
    return activity


class _Stance:
    """How the simulated body stands at any row of the physics."""

    def __init__(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        geometry: Geometry,
        simulation: Simulation,
        reference: Reference,
        haste: float,
    ):
        self._model, self._data, self._geometry = model, data, geometry
        self._simulation, self._reference, self._haste = simulation, reference, haste
        self._ankles = [model.site(f"{side}_ankle").id for side in SIDES]

    def _feet(self, row: int) -> Footing:
        """The feet on the ground, in the world."""
        self._data.qpos[:] = self._simulation.qpos[row]
        mujoco.mj_kinematics(self._model, self._data)
        turn = self._data.site_xmat[self._ankles].reshape(2, 3, 3)
        yaw = np.arctan2(turn[:, 1, 0], turn[:, 0, 0])
        pitch = np.arcsin(np.clip(-turn[:, 2, 0], -1.0, 1.0))
        pitch = np.where(pitch > FLAT_RAD, pitch, 0.0)
        ball = self._geometry.foot.toes
        ahead = ball[0] - np.cos(pitch) * ball[0] - np.sin(pitch) * ball[2]
        place = self._data.site_xpos[self._ankles, :2] - ahead[:, None] * np.column_stack([np.cos(yaw), np.sin(yaw)])
        return Footing(place=place, yaw=yaw, pitch=pitch)

    def origin(self, row: int) -> np.ndarray:
        """(2,) middle of the feet in the world [m]."""
        return self._feet(row).place.mean(0)

    def poise(self, row: int) -> Poise:
        """The pose at a row, in the body's frame; velocity and acceleration are those of its plan."""
        near = slice(max(row - SLOPE_ROWS, 0), row + SLOPE_ROWS + 1)
        planned = coordinates_of(self._reference.qpos[near])
        since = (np.arange(len(planned)) - (row - near.start)) * self._model.opt.timestep / self._haste
        _, curve, rate, _ = np.polyfit(since, planned, 3)
        feet, value = self._feet(row), coordinates_of(self._simulation.qpos[row : row + 1])[0]
        origin = feet.place.mean(0)
        value[:2] -= origin
        return Poise(value=value, rate=rate, curve=2.0 * curve, feet=replace(feet, place=feet.place - origin))
