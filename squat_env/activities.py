"""Activities around repetitions, drawn at random: standing, fidgeting, stepping, turning, walking, bending, sitting."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from squat_env.arms import Angles
from squat_env.body import Body, ankle_height, segments
from squat_env.draws import choose, log_uniform, uniform
from squat_env.footwork import Step
from squat_env.gait import Gait, sample_gait
from squat_env.gestures import GESTURES, HANG, RESTS, ArmMove, Gesture
from squat_env.interlude import BodyMove, Dip, Interlude
from squat_env.motion import Motion
from squat_env.surroundings import EXERCISED_ARMS, Setting, Surroundings

MOST_TURN_A_STEP = np.deg2rad(75.0)
UNPAUSED = 0.3  # share of the usual pauses around steps that those make who rise and sit down (assumed)
SHORTEST_IDLE_S = 1.4  # in which arms come down and are ready again; shorter, they stay as they are
PICKED_UP: Angles = (72.0, 4.0, 0.0, 12.0, 10.0)  # arms that reach for the ground


@dataclass(frozen=True, kw_only=True)
class _Person:
    """Whose interludes are drawn."""

    ranges: Surroundings
    gait: Gait
    body: Body
    hands_free: bool

    @property
    def leg_m(self) -> float:
        parts = segments(self.body)
        return parts["thigh"].length + parts["shank"].length


def sample_setting(
    ranges: Surroundings,
    rng: np.random.Generator,
    *,
    body: Body,
    motion: Motion,
    has_seat: bool = False,
    hands_free: bool = True,
    stands: bool = True,
) -> Setting:
    """Draws what one person does around a set.

    Args:
        ranges: What people do.
        rng: Where the draws come from.
        body: The person.
        motion: The set.
        has_seat: There is a chair.
        hands_free: Nothing is held.
        stands: The person stands between repetitions; nothing is done around others.
    """
    gait, repetitions = sample_gait(ranges.gait, rng), len(motion.cycles)
    if not stands:
        return Setting(gait=gait, between=(None,) * (repetitions - 1))
    person = _Person(ranges=ranges, gait=gait, body=body, hands_free=hands_free)
    seated = has_seat and rng.random() < (ranges.exercised if motion.arms in EXERCISED_ARMS else ranges.from_seat)
    brisk = has_seat and rng.random() < ranges.brisk

    def maybe(probability: float, where: str) -> Interlude | None:
        return _DRAWN_BY[_choose(ranges, rng, where)](person, rng, where) if rng.random() < probability else None

    def maybe_rest(where: str) -> Interlude | None:
        return _rest(person, rng, where) if rng.random() < ranges.rests else None

    return Setting(
        gait=gait,
        seated=seated,
        before=None if seated else maybe(ranges.before, "before"),
        between=tuple(maybe(ranges.between, "between") for _ in range(repetitions - 1)),
        after=None if seated else maybe(ranges.after, "after"),
        around=_up(person, rng) if seated else None,
        resting=(maybe_rest("before"), maybe_rest("after")) if seated else (None, None),
        haste=max(1.0, motion.cycles[0].ascent_s / uniform(rng, *ranges.brisk_rise_s)) if brisk else 1.0,
    )


def _choose(ranges: Surroundings, rng: np.random.Generator, where: str) -> str:
    return choose(rng, [(name, share) for name, share in ranges.activities if name != "sit" or where == "after"])


def _up(person: _Person, rng: np.random.Generator) -> Interlude:
    """What is done between rising and sitting down; people rise into their first step and sit down from their last."""
    least, most = person.ranges.pause_s
    person = replace(person, ranges=replace(person.ranges, pause_s=(least, least + UNPAUSED * (most - least))))
    walks = rng.random() < person.ranges.walks
    return _DRAWN_BY["walk" if walks else _choose(person.ranges, rng, "between")](person, rng, "between")


def _rest(person: _Person, rng: np.random.Generator, where: str) -> Interlude:
    """Arms that rest here and there on the seat; before the rise they go where it needs them, some were there."""
    ranges, duration = person.ranges, log_uniform(rng, *person.ranges.rest_s)
    back = uniform(rng, 0.4, 1.0) if where == "before" else 0.0
    moves: list[ArmMove] = []
    now = 0.0 if where == "before" else uniform(rng, 0.0, 0.8)
    stays = rng.random() < 0.3 or not person.hands_free
    while not stays and now + 0.3 < duration - back:
        name = choose(rng, ranges.seat_gestures)
        way = min(uniform(rng, 0.4, 1.0), duration - back - now)
        begin = now if moves or where == "after" else -way  # before the rise the arms have rested there already
        moves += _gestured((GESTURES | RESTS)[name], rng, begin, way)
        now = max(begin + way, 0.0) + uniform(rng, *ranges.gesture_s)
    if moves and back:
        moves += [ArmMove(side=side, start_s=duration - back, duration_s=back, angles_deg=None) for side in range(2)]
    return Interlude(
        duration_s=duration,
        arms=tuple(moves),
        body=_body_moves(rng, duration, calm=False, sideways=False),
        sway_deg=0.4 * log_uniform(rng, *ranges.sway_deg),
        sway_seed=int(rng.integers(2**31)),
    )


def _standing(
    person: _Person, rng: np.random.Generator, where: str, *, busy: float, sideways: bool = False
) -> Interlude:
    duration = log_uniform(rng, *person.ranges.stand_s)
    return _finished(person, rng, where, duration, busy=busy, sideways=sideways)


def _stepping(
    person: _Person, rng: np.random.Generator, where: str, steps: Sequence[Step], *, busy: float
) -> Interlude:
    """An interlude of these steps with a moment of standing before and after them."""
    pauses = rng.uniform(*person.ranges.pause_s, 2)
    first, *others = steps
    steps = (replace(first, pause_s=float(pauses[0])), *others)
    duration = sum(step.pause_s + step.duration_s for step in steps) + 0.25 + float(pauses[1])
    return _finished(person, rng, where, duration, busy=busy, steps=steps)


def _finished(
    person: _Person,
    rng: np.random.Generator,
    where: str,
    duration: float,
    *,
    busy: float,
    steps: tuple[Step, ...] = (),
    sideways: bool = False,
    dips: tuple[Dip, ...] = (),
    arms: tuple[ArmMove, ...] | None = None,
) -> Interlude:
    """Adds what arms and trunk do; `busy` is the share of gestures that are made."""
    if arms is None:
        arms = _arm_moves(person, rng, duration, where, busy) if person.hands_free else ()
    return Interlude(
        duration_s=duration,
        steps=steps,
        first=int(rng.integers(2)),
        arms=arms,
        body=_body_moves(rng, duration, calm=bool(steps), sideways=sideways),
        dips=dips,
        sway_deg=log_uniform(rng, *person.ranges.sway_deg),
        sway_seed=int(rng.integers(2**31)),
    )


def _arm_moves(
    person: _Person, rng: np.random.Generator, duration: float, where: str, busy: float
) -> tuple[ArmMove, ...]:
    """Arms that come down, do this and that, and go where the next repetition needs them."""
    back = 0.0 if where == "after" else uniform(rng, 0.6, 1.1)
    idle = duration - back
    if idle < SHORTEST_IDLE_S:
        return ()
    moves, hang = [], _near(HANG, 4.0, rng)
    for side in range(2):
        begin, way = uniform(rng, 0.0, 0.25), min(uniform(rng, 0.6, 1.1), idle - 0.3)
        if where == "before":
            begin = -way  # they hang already
        moves.append(ArmMove(side=side, start_s=begin, duration_s=way, angles_deg=hang))
    ready = [move.start_s + move.duration_s for move in moves]
    now = max(*ready, 0.0) + uniform(rng, *person.ranges.gesture_s) * rng.random()
    while now < idle - 0.8:
        gesture = GESTURES[choose(rng, person.ranges.gestures)]
        way, wait = uniform(rng, 0.45, 0.95), uniform(rng, *person.ranges.gesture_s)
        if rng.random() < busy and now + way < idle:
            moves += _gestured(gesture, rng, now, way)
        now += way + wait
    if back:
        moves += [ArmMove(side=side, start_s=idle, duration_s=back, angles_deg=None) for side in range(2)]
    return tuple(moves)


def _gestured(gesture: Gesture, rng: np.random.Generator, start: float, way: float) -> list[ArmMove]:
    """One gesture, of both arms or of either."""
    angles, lone = _near(gesture.angles_deg, gesture.spread_deg, rng), int(rng.integers(2))
    move = ArmMove(
        side=lone,
        start_s=start,
        duration_s=way,
        angles_deg=angles,
        rub_deg=gesture.rub_deg * uniform(rng, 0.5, 1.5),
        rub_hz=gesture.rub_hz * uniform(rng, 0.7, 1.3),
    )
    return [move, replace(move, side=1 - lone)] if gesture.both else [move]


def _near(angles: Angles, spread: float, rng: np.random.Generator) -> Angles:
    shoulder, abduction, external, elbow, pronation = (float(v) for v in angles + rng.normal(0.0, spread, 5))
    return shoulder, max(abduction, 2.0), external, min(max(elbow, 3.0), 142.0), pronation


def _body_moves(rng: np.random.Generator, duration: float, *, calm: bool, sideways: bool) -> tuple[BodyMove, ...]:
    """Looking round, leaning, and the weight from leg to leg; in the end as it was."""
    moves, now, size = [], uniform(rng, 0.2, 1.0), 0.4 if calm else 1.0
    side = 1.0 if rng.random() < 0.5 else -1.0
    while now < duration - 1.6:
        way = uniform(rng, 0.5, 1.2)
        spine = size * rng.normal(0.0, (3.0, 3.0, 10.0))
        side = -side
        aside = side * uniform(rng, 0.03, 0.09) if sideways else size * float(rng.normal(0.0, 0.008))
        moves.append(BodyMove(start_s=now, duration_s=way, spine_deg=_three(spine), aside_m=aside))
        now += way + uniform(rng, 0.2, 2.0)
    if moves:
        begin = max(moves[-1].start_s + moves[-1].duration_s, duration - 1.0)
        moves.append(BodyMove(start_s=begin, duration_s=max(duration - begin, 0.1)))
    return tuple(moves)


def _three(values: np.ndarray) -> tuple[float, float, float]:
    a, b, c = (float(value) for value in values)
    return a, b, c


def _walk(person: _Person, rng: np.random.Generator, where: str) -> Interlude:
    """Some way straight on or along a bend; there and back between repetitions."""
    way = log_uniform(rng, *person.ranges.walk_m)
    if where == "between":
        steps = [*_ahead(person, rng, way, 0.0), *_turned(person, rng, np.pi)]
        steps += [*_ahead(person, rng, way, 0.0), *_turned(person, rng, np.pi)]
    else:
        bend = 0.0 if rng.random() < 0.5 else uniform(rng, -np.pi, np.pi)
        steps = [*_ahead(person, rng, way, bend)]
        if rng.random() < 0.5:
            turn = _turned(person, rng, uniform(rng, 0.25, 1.0) * np.pi)
            steps = [*steps, *turn] if where == "before" else [*turn, *steps]
    return _stepping(person, rng, where, [*steps, _closing(person, rng)], busy=0.15)


def _march(person: _Person, rng: np.random.Generator, where: str) -> Interlude:
    lift, pace = uniform(rng, 0.04, 0.22), uniform(rng, 0.4, 0.75)
    steps = [Step(duration_s=_varied(pace, person, rng), lift_m=lift) for _ in range(int(rng.integers(4, 13)))]
    return _stepping(person, rng, where, [*steps, _closing(person, rng)], busy=0.1)


def _shuffle(person: _Person, rng: np.random.Generator, where: str) -> Interlude:
    steps = [
        Step(
            duration_s=uniform(rng, 0.4, 0.8),
            ahead_m=uniform(rng, -0.12, 0.2),
            aside_m=uniform(rng, -0.1, 0.1),
            turn_rad=float(rng.normal(0.0, 0.25)),
            pause_s=uniform(rng, 0.0, 1.0) if rng.random() < 0.3 else 0.0,
        )
        for _ in range(int(rng.integers(2, 6)))
    ]
    return _stepping(person, rng, where, [*steps, _closing(person, rng)], busy=0.5)


def _turn_round(person: _Person, rng: np.random.Generator, where: str) -> Interlude:
    steps = _turned(person, rng, uniform(rng, 0.4, 1.0) * np.pi)
    if rng.random() < 0.6:
        steps = [*steps, *_turned(person, rng, uniform(rng, 0.4, 1.0) * np.pi)]
    return _stepping(person, rng, where, [*steps, _closing(person, rng)], busy=0.2)


def _ahead(person: _Person, rng: np.random.Generator, way: float, bend: float) -> list[Step]:
    """Steps along a way [m] that bends by an angle [rad] in all."""
    length, pace = person.gait.step_m(person.leg_m), 1.0 / person.gait.cadence_hz(person.leg_m)
    count = max(2, round(way / length))
    turn = float(np.clip(bend / count, -0.35, 0.35))
    return [
        Step(
            duration_s=_varied(pace, person, rng),
            ahead_m=_varied(way / count, person, rng),
            turn_rad=turn + float(rng.normal(0.0, 0.02)),
        )
        for _ in range(count)
    ]


def _turned(person: _Person, rng: np.random.Generator, angle: float) -> list[Step]:
    """Steps of a turn on the spot, to either side."""
    seconds = uniform(rng, *person.ranges.turn_s) * abs(angle) / np.pi
    count = max(2, int(np.ceil(angle / MOST_TURN_A_STEP)), round(seconds / 0.55))
    side = 1.0 if rng.random() < 0.5 else -1.0
    return [
        Step(
            duration_s=_varied(max(seconds / count, 0.3), person, rng),
            ahead_m=uniform(rng, 0.0, 0.12),
            turn_rad=side * angle / count,
        )
        for _ in range(count)
    ]


def _closing(person: _Person, rng: np.random.Generator) -> Step:
    return Step(duration_s=_varied(0.5, person, rng))


def _pick_up(person: _Person, rng: np.random.Generator, where: str) -> Interlude:
    leg, deep = person.leg_m, uniform(rng, 0.1, 0.45)
    start, down, hold, up = (uniform(rng, low, high) for low, high in ((0.2, 1), (0.7, 1.4), (0.1, 0.8), (0.7, 1.4)))
    lean = uniform(rng, 55.0, 75.0) - 60.0 * deep
    dip = Dip(
        start_s=start,
        down_s=down,
        hold_s=hold,
        up_s=up,
        drop_m=deep * leg,
        back_m=0.08 + 0.1 * deep,
        lean_deg=(lean, lean),
    )
    duration = start + down + hold + up + uniform(rng, 0.7, 1.5)
    back = start + down + hold
    reach = _near(PICKED_UP, 6.0, rng)
    arms = []
    for side in (0, 1) if rng.random() < 0.5 else (int(rng.integers(2)),):
        arms.append(ArmMove(side=side, start_s=start, duration_s=0.9 * down, angles_deg=reach))
        last = HANG if where == "after" else None
        arms.append(ArmMove(side=side, start_s=back, duration_s=duration - back, angles_deg=last))
    arms = tuple(arms) if person.hands_free else ()
    return _finished(person, rng, where, duration, busy=0.0, dips=(dip,), arms=arms)


def _sit(person: _Person, rng: np.random.Generator, where: str) -> Interlude:
    leg = person.leg_m
    knee = segments(person.body)["shank"].length + ankle_height(person.body)
    drop = leg + ankle_height(person.body) - uniform(rng, 1.0, 1.25) * knee
    start, down = uniform(rng, 0.2, 1.5), uniform(rng, 1.1, 2.0)
    dip = Dip(
        start_s=start,
        down_s=down,
        hold_s=0.0,
        up_s=0.0,
        drop_m=drop,
        back_m=uniform(rng, 0.34, 0.42) * leg,
        lean_deg=(uniform(rng, 25.0, 42.0), uniform(rng, -8.0, 10.0)),
    )
    duration = start + down + uniform(rng, 0.5, 3.0)
    return _finished(person, rng, where, duration, busy=0.4, dips=(dip,))


_DRAWN_BY: dict[str, Callable[[_Person, np.random.Generator, str], Interlude]] = {
    "stand": lambda person, rng, where: _standing(person, rng, where, busy=0.0),
    "fidget": lambda person, rng, where: _standing(person, rng, where, busy=0.9),
    "shift": lambda person, rng, where: _standing(person, rng, where, busy=0.3, sideways=True),
    "shuffle": _shuffle,
    "march": _march,
    "turn": _turn_round,
    "walk": _walk,
    "pick_up": _pick_up,
    "sit": _sit,
}


def _varied(value: float, person: _Person, rng: np.random.Generator) -> float:
    return value * float(np.exp(rng.normal(0.0, person.gait.variation)))
