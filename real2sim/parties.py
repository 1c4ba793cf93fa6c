"""Who is who: adaptation people, whose recordings may be used, and test people, who only give the final figures."""

import hashlib
from functools import lru_cache

import numpy as np

from real2sim.labels import available_repetitions
from real2sim.recordings import Recording
from real2sim.recordings.plain import read_folder
from real2sim.run import Config, RunError
from real2sim.sequences import GROUPS, Sequence, available_groups, from_recordings


@lru_cache(maxsize=4)  # every task of a process reads the same recordings
def _read(folder: str, subjects: tuple[int, ...] | None, exercise: str | None) -> tuple[Recording, ...]:
    return tuple(read_folder(folder, subjects=subjects, exercise=exercise))


def deal_people(config: Config) -> list[tuple[int, ...]]:
    """The test people of each fold; everybody is in one.

    Raises:
        RunError: There are fewer people than folds.
    """
    everyone = sorted({recording.subject for recording in _read(config.real, config.subjects, config.exercise)})
    if len(everyone) < max(2, config.folds):
        raise RunError(
            f"{config.real} has recordings of {len(everyone)} people, expected {max(2, config.folds)} or more for "
            f"{config.folds} folds; ask for fewer --folds"
        )
    dealt = np.random.default_rng(config.seed).permutation(everyone)
    return [tuple(sorted(map(int, part))) for part in np.array_split(dealt, config.folds)]


def adaptation_recordings(config: Config, fold: int | None = None) -> list[Recording]:
    """Recordings of the people whose data may be used; with folds, of everyone who is not tested in this one."""
    recordings = list(_read(config.real, config.subjects, config.exercise))
    if fold is None:
        return recordings
    tested = deal_people(config)[fold]
    return [recording for recording in recordings if recording.subject not in tested]


def whole_party(config: Config) -> list[Recording]:
    """Every recording that people are dealt from into folds, in the order of its fingerprint."""
    everyone = _read(config.real, config.subjects, config.exercise)
    return sorted(everyone, key=lambda r: (r.subject, r.name))


def unseen_recordings(config: Config, fold: int | None = None) -> list[Recording]:
    """Recordings of the people that nothing but the final figures is made with; with folds, those of this one."""
    if fold is None:
        return list(_read(config.test, config.test_subjects, config.exercise))
    tested = deal_people(config)[fold]
    everyone = _read(config.real, config.subjects, config.exercise)
    return [recording for recording in everyone if recording.subject in tested]


def labelled_repetitions_of(config: Config) -> int:
    """How many labelled repetitions every fold's adaptation people have, at least."""
    folds = range(config.folds) if config.folds else (None,)
    return min(
        available_repetitions(on_grid(config, recordings, channel_groups(config, recordings)))
        for recordings in (adaptation_recordings(config, fold) for fold in folds)
    )


def channel_groups(config: Config, recordings: list[Recording]) -> tuple[str, ...]:
    """The channel groups of a run: those asked for, else all that every recording has.

    Raises:
        RunError: A group asked for was not recorded, or there is none to use.
    """
    have = available_groups(recordings)
    wanted = config.channels or have
    if missing := [group for group in wanted if group not in have]:
        raise RunError(
            f"the recordings lack {', '.join(missing)}, expected the channels {', '.join(wanted)} in every one; choose"
            f" --channels of {', '.join(have) or 'other recordings'}"
        )
    if not wanted:
        raise RunError("the recordings share no channel, expected a watch, a phone or a range in every one; add them")
    return tuple(group for group in GROUPS if group in wanted)


def fingerprint(recordings: list[Recording]) -> str:
    """A digest of what recordings hold; it differs when one is added, cut or replaced."""
    digest = hashlib.sha256()
    for recording in recordings:
        digest.update(f"{recording.name} {recording.subject} {recording.exercise}".encode())
        for name, stream in recording.streams().items():
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(stream.values).tobytes())
        if recording.labels is not None:
            digest.update(np.ascontiguousarray(recording.labels.phase).tobytes())
    return digest.hexdigest()


def refuse_one_class(name: str, sequences: list[Sequence]) -> None:
    """Refuses recordings whose labels are missing, or all of one phase.

    Raises:
        RunError: They are.
    """
    classes = set(np.unique(np.concatenate([s.phase for s in sequences])).tolist()) - {-1}
    if not classes:
        raise RunError(f"the recordings of {name} have no labels, expected labels.csv with phases; add it")
    if classes != {0, 1}:
        raise RunError(
            f"the recordings of {name} hold the phases {sorted(classes)}, expected both 0 and 1; choose recordings in "
            "which people move"
        )


def on_grid(config: Config, recordings: list[Recording], groups: tuple[str, ...]) -> list[Sequence]:
    """Recordings as sequences at the run's rate."""
    return from_recordings(recordings, groups, rate_hz=config.rate_hz)
