"""What people do around their repetitions: how much of it, as ranges, and what one person does around one set."""

from dataclasses import dataclass

from squat_env.gait import Gait, GaitRanges
from squat_env.gestures import GESTURES, RESTS
from squat_env.interlude import Interlude

ACTIVITIES = ("stand", "fidget", "shift", "shuffle", "march", "turn", "walk", "pick_up", "sit")


EXERCISED_ARMS = ("crossed", "hips", "forward", "goal_post")


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """The population of what surrounds repetitions. The default is nothing: a set begins and ends with itself.

    Activities: "stand" and "fidget" (arms and trunk move) on the spot, "shift" the weight from leg to leg, "shuffle" a
    few small steps, "march" on the spot, "turn" on the spot and back, "walk" some way, "pick_up" something,
    "sit" down and stay (at the end of a recording only). Shares and durations are assumed.

    Attributes:
        before, between, after: Probability that something is done before the first repetition of a set, between two,
            and after the last.
        from_seat: Probability that a set on a chair begins and ends seated, with something done while standing.
        exercised: The same for those who hold their arms as in an exercise (`EXERCISED_ARMS`).
        walks: Probability that this is a walk; otherwise it is one of `activities`.
        rests: Probability that something is done on the seat before such a set, and after it.
        rest_s: Range of how long, log-uniform.
        seat_gestures: (gesture or rest, share) pairs, what arms do on a seat.
        brisk: Probability that a set on a chair is played back faster than it is simulated: people let themselves
            drop and rise with a swing that the controller does not hold.
        brisk_rise_s: Range of the time that its first rise takes then.
        activities: (activity, share) pairs.
        stand_s: Range of the length of activities without steps, log-uniform.
        walk_m: Range of the way, log-uniform; back and forth between repetitions.
        turn_s: Range of the time for half a turn.
        pause_s: Range of standing before the first and after the last step.
        gesture_s: Range of the time between two gestures.
        gestures: (gesture, share) pairs.
        sway_deg: Range of `Motion.sway_deg`, log-uniform.
        gait: How people walk.
    """

    before: float = 0.0
    between: float = 0.0
    after: float = 0.0
    from_seat: float = 0.0
    exercised: float = 0.0
    walks: float = 0.7
    rests: float = 0.0
    rest_s: tuple[float, float] = (0.4, 5.0)
    seat_gestures: tuple[tuple[str, float], ...] = (
        *(("thighs", 6.0), ("lap", 3.0), ("armrests", 1.0), ("beside", 1.0), ("folded", 1.0), ("on_thigh", 2.0)),
        *(("look_at_watch", 1.0), ("touch_face", 0.6), ("scratch_arm", 0.4), ("hold_phone", 0.7)),
    )
    brisk: float = 0.0
    brisk_rise_s: tuple[float, float] = (0.9, 1.8)
    activities: tuple[tuple[str, float], ...] = (
        *(("stand", 1.0), ("fidget", 2.0), ("shift", 1.0), ("shuffle", 1.0), ("march", 0.4), ("turn", 0.5)),
        *(("walk", 2.5), ("pick_up", 0.4), ("sit", 0.3)),
    )
    stand_s: tuple[float, float] = (0.8, 6.0)
    walk_m: tuple[float, float] = (0.8, 5.0)
    turn_s: tuple[float, float] = (1.0, 2.2)
    pause_s: tuple[float, float] = (0.12, 0.8)
    gesture_s: tuple[float, float] = (0.4, 4.0)
    gestures: tuple[tuple[str, float], ...] = tuple((name, 3.0 if name == "hang" else 1.0) for name in GESTURES)
    sway_deg: tuple[float, float] = (0.8, 5.0)
    gait: GaitRanges = GaitRanges()

    def __post_init__(self):
        for name in ("before", "between", "after", "from_seat", "exercised", "walks", "rests", "brisk"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected a probability")
        for name, known in (
            ("activities", ACTIVITIES),
            ("gestures", GESTURES),
            ("seat_gestures", GESTURES | RESTS),
        ):
            if unknown := {key for key, _ in getattr(self, name)} - set(known):
                raise ValueError(f"{name} holds {sorted(unknown)}, expected some of {sorted(known)}")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What surrounds the repetitions of one set.

    Attributes:
        gait: How the person walks.
        seated: The recording begins and ends on the seat; `around` leads from the last repetition to the first.
        before, after: None for nothing.
        between: One less than there are repetitions.
        around: Where `seated`.
        resting: Where `seated`, what is done on the seat before the first rise and in the end.
        haste: How many times faster the simulated set is played back; 1 as it was simulated.
    """

    gait: Gait
    seated: bool = False
    before: Interlude | None = None
    between: tuple[Interlude | None, ...] = ()
    after: Interlude | None = None
    around: Interlude | None = None
    resting: tuple[Interlude | None, Interlude | None] = (None, None)
    haste: float = 1.0

    @property
    def interludes(self) -> tuple[Interlude, ...]:
        """All that there are."""
        return tuple(
            one for one in (self.before, *self.between, self.after, self.around, *self.resting) if one is not None
        )


CHAIRS = Surroundings(from_seat=0.9, exercised=0.2, rests=0.8, brisk=0.85)
"""Sit, rise, walk and sit down: most chair rises of most people; sets without a chair are left as they are."""
