"""What a recording of a person is, whatever format it was read from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from squat_env.signals import median_rate

IMU_COLUMNS = ("acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")
IMU_UNITS = ("m/s^2", "m/s^2", "m/s^2", "rad/s", "rad/s", "rad/s")

_JOINTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "heel", "foot_index")
LANDMARKS = ("nose", *(f"{side}_{joint}" for joint in _JOINTS for side in ("left", "right")))
"""17 joints by their BlazePose names."""

LANDMARK_COLUMNS = tuple(f"{joint}_{axis}" for joint in LANDMARKS for axis in "xyz")

SENSORS = ("watch", "phone", "range")
"""The streams of a recording that carry measurements, by name."""


class RecordingError(ValueError):
    """A recording cannot be used as it is; the message says where, what was got and what was expected."""


def refusal(where: object, *, got: str, expected: str, remedy: str) -> RecordingError:
    """Return the error to raise: in one sentence the place, what it holds, what it should, what to do."""
    return RecordingError(f"{where}: got {got}, expected {expected}; {remedy}")


@dataclass(frozen=True, kw_only=True)
class Repairs:
    """What had to be put right, or is missing, in a stream.

    Attributes:
        unsorted: Rows that came earlier than a row before them; they were sorted in.
        duplicates: Rows with the time stamp of another row; they were averaged into one.
        missing: Values that the file leaves empty (lost distance readings).
        gaps: Pauses longer than interpolation bridges (see `squat_env.signals`); they stay gaps.
    """

    unsorted: int = 0
    duplicates: int = 0
    missing: int = 0
    gaps: int = 0

    def __add__(self, other: Repairs) -> Repairs:
        """Return the sums."""
        return Repairs(
            unsorted=self.unsorted + other.unsorted,
            duplicates=self.duplicates + other.duplicates,
            missing=self.missing + other.missing,
            gaps=self.gaps + other.gaps,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Stream:
    """Samples of one device on its own clock.

    Attributes:
        t: (N,) strictly increasing times, s.
        values: (N, k) samples; NaN where the device reported nothing.
        columns: k column names.
        units: k units.
        repairs: What was put right to make this stream.
    """

    t: np.ndarray
    values: np.ndarray
    columns: tuple[str, ...]
    units: tuple[str, ...]
    repairs: Repairs = field(default_factory=Repairs)

    @property
    def rate_hz(self) -> float:
        """Rate from the median distance of the times, Hz."""
        return median_rate(self.t)

    def __repr__(self) -> str:
        units = ", ".join(dict.fromkeys(self.units))
        return f"Stream(t {self.t.shape}, values {self.values.shape} [{units}], {self.rate_hz:.1f} Hz)"


@dataclass(frozen=True, kw_only=True, eq=False)
class Labels:
    """What the person did, sample by sample.

    Attributes:
        t: (N,) strictly increasing times, s.
        phase: (N,) int8; 0 down, 1 upright, -1 unlabelled.
        repetition: (N,) int64; number of the repetition, -1 unknown.
        repairs: What was put right to make these labels.
    """

    t: np.ndarray
    phase: np.ndarray
    repetition: np.ndarray
    repairs: Repairs = field(default_factory=Repairs)

    def __repr__(self) -> str:
        labelled = float(np.mean(self.phase >= 0)) if len(self.phase) else 0.0
        numbered = len(np.unique(self.repetition[self.repetition >= 0]))
        return f"Labels(t {self.t.shape}, {labelled:.0%} labelled, {numbered} repetitions)"


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """One uninterrupted capture of a person. A stream that was not recorded is None.

    Attributes:
        name: Name of the recording, unique in its set.
        subject: Number of the person in its set, -1 unknown.
        exercise: Name of the exercise, e.g. "squat".
        correct: Whether the exercise was done as it should be; None unknown.
        repetitions: How many repetitions it holds; 0 unknown.
        watch_placement: Where the watch was worn, e.g. "left_wrist".
        phone_placement: Where the phone was worn, e.g. "left_front_pocket".
        watch: `IMU_COLUMNS`, proper acceleration and angular velocity, device frame.
        phone: The same of the phone.
        range: One column "range", distance of watch and phone, m.
        labels: Phases and repetitions.
        landmarks: Joint positions, m, world frame with z up.
    """

    name: str
    subject: int
    exercise: str = ""
    correct: bool | None = None
    repetitions: int = 0
    watch_placement: str = ""
    phone_placement: str = ""
    watch: Stream | None = None
    phone: Stream | None = None
    range: Stream | None = None
    labels: Labels | None = None
    landmarks: Stream | None = None

    def streams(self) -> dict[str, Stream]:
        """Return the sensor streams that there are, by name (see `SENSORS`)."""
        return {name: stream for name in SENSORS if (stream := getattr(self, name)) is not None}

    @property
    def repairs(self) -> Repairs:
        """What was put right in all files of the recording together."""
        parts = (*self.streams().values(), self.landmarks, self.labels)
        return sum((part.repairs for part in parts if part is not None), Repairs())

    @property
    def span_s(self) -> tuple[float, float]:
        """First and last time at which all sensor streams run, s.

        Raises:
            RecordingError: If there is no sensor stream.
        """
        streams = self.streams().values()
        if not streams:
            raise refusal(f"recording {self.name!r}", got="no stream", expected=f"one of {SENSORS}", remedy="add one")
        return max(float(s.t[0]) for s in streams), min(float(s.t[-1]) for s in streams)
