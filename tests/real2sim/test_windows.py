"""Sequences, windows, the label budget, and both roads from data to sequences."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.store import Repetition, write_dataset
from real2sim.labels import labelled_repetitions
from real2sim.recordings import Labels, Recording, RecordingError, Stream
from real2sim.recordings.recording import IMU_COLUMNS, IMU_UNITS
from real2sim.sequences import (
    CHANNELS,
    GROUPS,
    Sequence,
    available_groups,
    channels_of,
    from_dataset,
    from_recordings,
    people,
    split,
)
from real2sim.windows import SMALLEST_STD, cut, statistics_of, stitch, taper

CHANNEL_PAIR = ("watch_accel_x", "range")


def sequence(length, *, subject=1, repetitions=0, count=0, seed=0, name="s"):
    """A labelled sequence of two channels; `repetitions` numbered pieces of equal length."""
    rng = np.random.default_rng(seed)
    pieces = np.repeat(np.arange(repetitions), -(-length // max(repetitions, 1)))[:length]
    return Sequence(
        name=name,
        subject=subject,
        rate_hz=20.0,
        channels=CHANNEL_PAIR,
        values=rng.normal(3.0, 2.0, (length, 2)).astype(np.float32),
        phase=(np.arange(length) % 2).astype(np.int8),
        repetition=pieces if repetitions else np.full(length, -1),
        count=count or repetitions,
    )


def imu(start_s=0.0, stop_s=10.0, rate_hz=100.0, hertz=0.5):
    t = np.arange(start_s, stop_s, 1 / rate_hz)
    values = np.sin(2 * np.pi * hertz * t)[:, None] * np.arange(1, 7)
    return Stream(t=t, values=values, columns=IMU_COLUMNS, units=IMU_UNITS)


def distances(start_s=0.0, stop_s=10.0):
    t = np.arange(start_s, stop_s, 0.2)
    return Stream(t=t, values=(1.0 + 0.01 * t)[:, None], columns=("range",), units=("m",))


def phases(stop_s=10.0, step_s=0.05):
    t = np.arange(0, stop_s, step_s)
    return Labels(t=t, phase=(t % 2 >= 1).astype(np.int8), repetition=(t // 2).astype(np.int64))


def test_channels_are_the_thirteen_in_their_order():
    assert (
        *("watch_accel_x", "watch_accel_y", "watch_accel_z", "watch_gyro_x", "watch_gyro_y", "watch_gyro_z"),
        "range",
        *("phone_accel_x", "phone_accel_y", "phone_accel_z", "phone_gyro_x", "phone_gyro_y", "phone_gyro_z"),
    ) == CHANNELS
    assert channels_of(("range", "watch")) == CHANNELS[:7]


@pytest.mark.parametrize("groups", [(), ("watch", "ring")], ids=["none", "unknown"])
def test_channels_of_refuses(groups):
    with pytest.raises(ValueError, match="expected one or more of"):
        channels_of(groups)


def test_statistics_leave_missing_values_out():
    a, b = sequence(50, seed=1), sequence(30, seed=2)
    a.values[:20, 0] = np.nan
    got = statistics_of([a, b])
    first = np.concatenate([a.values[20:, 0], b.values[:, 0]]).astype(float)
    assert got.mean[0] == pytest.approx(first.mean())
    assert got.std[0] == pytest.approx(first.std())


def test_statistics_guard_a_flat_and_a_missing_channel():
    flat = sequence(20)
    flat.values[:, 0], flat.values[:, 1] = 5.0, np.nan
    got = statistics_of([flat])
    np.testing.assert_array_equal(got.mean, [5.0, 0.0])
    np.testing.assert_array_equal(got.std, [SMALLEST_STD, 1.0])


@pytest.mark.parametrize("sequences", [[], [sequence(5), replace(sequence(5), channels=("a", "b"))]])
def test_statistics_refuse_no_or_unlike_sequences(sequences):
    with pytest.raises(ValueError, match="expected one list"):
        statistics_of(sequences)


@given(
    st.lists(st.integers(0, 130), min_size=1, max_size=5),
    st.integers(1, 50),
    st.data(),
)
def test_windows_cover_every_sample_and_stitch_gives_it_back(lengths, window, data):
    stride = data.draw(st.integers(1, window))
    sequences = [sequence(length, seed=i) for i, length in enumerate(lengths)]
    sequences[0].values[::7, 1] = np.nan
    statistics = statistics_of(sequences)
    windows = cut(sequences, statistics, window=window, stride=stride)
    assert windows.values.shape == windows.present.shape == (len(windows), window, 2)
    assert (windows.values[~windows.present] == 0).all()
    back = stitch(windows.values * statistics.std + statistics.mean, windows, sequences)
    labels = stitch(windows.phase, windows, sequences)
    for original, values, phase in zip(sequences, back, labels, strict=True):
        known = np.isfinite(original.values)
        np.testing.assert_allclose(values[known], original.values[known], atol=1e-4)
        np.testing.assert_array_equal(phase, original.phase)


def test_windows_start_every_stride_and_the_last_ends_with_the_sequence():
    windows = cut([sequence(95), sequence(40)], statistics_of([sequence(95)]), window=40, stride=10)
    np.testing.assert_array_equal(windows.start, [0, 10, 20, 30, 40, 50, 55, 0])
    np.testing.assert_array_equal(windows.sequence, [0] * 7 + [1])


def test_a_short_sequence_gives_one_window_with_a_masked_tail():
    short = sequence(15)
    windows = cut([short, sequence(0)], statistics_of([short]), window=40, stride=10)
    assert len(windows) == 1
    assert windows.present[0, :15].all()
    assert not windows.present[0, 15:].any()
    assert (windows.phase[0, 15:] == -1).all()
    assert (windows.values[0, 15:] == 0).all()


def test_cut_of_nothing_gives_no_window():
    windows = cut([], statistics_of([sequence(5)]))
    assert windows.values.shape == (0, 40, 2)
    assert stitch(np.zeros((0, 40, 3)), windows, []) == []


@pytest.mark.parametrize(("window", "stride"), [(10, 11), (10, 0), (0, 0)])
def test_cut_refuses_what_leaves_samples_out(window, stride):
    with pytest.raises(ValueError, match="1 <= stride <= window"):
        cut([sequence(30)], statistics_of([sequence(30)]), window=window, stride=stride)


def test_tapered_windows_pass_into_one_another_without_a_seam():
    windows = cut([sequence(80)], statistics_of([sequence(80)]), window=40, stride=10)
    per_window = np.repeat(np.arange(5.0) % 2, 40).reshape(5, 40)  # neighbours that disagree as far as can be
    steps = np.abs(np.diff(stitch(per_window, windows, [sequence(80)], taper(40))[0]))
    assert steps[10:-10].max() < 0.06
    assert np.abs(np.diff(stitch(per_window, windows, [sequence(80)])[0]))[10:-10].max() > 0.15


def test_stitch_averages_overlaps_and_marks_what_no_window_reaches():
    windows = cut([sequence(20)], statistics_of([sequence(20)]), window=10, stride=5)
    per_window = np.repeat(np.arange(3.0), 10).reshape(3, 10)
    np.testing.assert_allclose(stitch(per_window, windows, [sequence(20)])[0], np.repeat([0.0, 0.5, 1.5, 2.0], 5))
    longer = stitch(per_window, windows, [sequence(25)])[0]
    assert np.isnan(longer[20:]).all()


def test_split_deals_every_sequence_out_once():
    sequences = [sequence(3, name=str(i)) for i in range(20)]
    parts = split(sequences, (0.8, 0.1, 0.1), np.random.default_rng(0))
    assert [len(part) for part in parts] == [16, 2, 2]
    assert sorted(int(s.name) for part in parts for s in part) == list(range(20))
    again = split(sequences, (0.8, 0.1, 0.1), np.random.default_rng(0))
    assert [[s.name for s in part] for part in parts] == [[s.name for s in part] for part in again]


@pytest.mark.parametrize("fractions", [(), (0.5, 0.6), (1.5, -0.5)])
def test_split_refuses_what_is_no_division(fractions):
    with pytest.raises(ValueError, match="add up to 1"):
        split([sequence(3)], fractions, np.random.default_rng(0))


def test_people_are_distinct_and_sorted():
    assert people([sequence(2, subject=3), sequence(2, subject=1), sequence(2, subject=3)]) == (1, 3)


def kept(sequences):
    return [len(np.unique(s.repetition[s.phase >= 0])) for s in sequences]


@pytest.mark.parametrize("count", [0, 1, 5, 8, 23, 40])
def test_budget_buys_exactly_so_many_repetitions_spread_evenly(count):
    sequences = [sequence(60, subject=i // 2, repetitions=5, seed=i) for i in range(8)]
    chosen = labelled_repetitions(sequences, count, np.random.default_rng(count))
    bought = np.array(kept(chosen))
    per_person = bought.reshape(4, 2).sum(axis=1)
    assert bought.sum() == count
    assert np.ptp(per_person) <= 1
    assert np.ptp(bought.reshape(4, 2), axis=1).max() <= 1
    for before, after in zip(sequences, chosen, strict=True):
        assert len(after) == len(before)
        assert after.values is before.values
        for number in np.unique(before.repetition):
            inside = after.phase[before.repetition == number]
            assert (inside == -1).all() or (inside == before.phase[before.repetition == number]).all()


def test_budget_depends_on_the_generator_alone():
    sequences = [sequence(60, subject=i, repetitions=5) for i in range(4)]
    draws = [labelled_repetitions(sequences, 6, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    phase = [np.concatenate([s.phase for s in draw]) for draw in draws]
    np.testing.assert_array_equal(phase[0], phase[1])
    assert (phase[0] != phase[2]).any()


def test_budget_takes_recordings_without_numbers_whole_and_never_overspends():
    sequences = [sequence(30, subject=i, count=2) for i in range(5)]
    chosen = labelled_repetitions(sequences, 5, np.random.default_rng(0))
    whole = [bool((s.phase >= 0).all()) for s in chosen]
    assert sum(whole) == 2
    assert all((s.phase == -1).all() for s, is_whole in zip(chosen, whole, strict=True) if not is_whole)


def test_budget_ignores_unlabelled_sequences():
    blank = replace(sequence(30, subject=9, count=2), phase=np.full(30, -1, dtype=np.int8))
    chosen = labelled_repetitions([blank, sequence(30, repetitions=3)], 3, np.random.default_rng(0))
    assert (chosen[0].phase == -1).all()
    assert (chosen[1].phase >= 0).all()


@pytest.mark.parametrize(
    ("sequences", "count", "message"),
    [
        ([sequence(30, repetitions=3)], 4, "0 to the 3"),
        ([sequence(30, repetitions=3)], -1, "0 to the 3"),
        ([sequence(30, count=2)], 1, "expected 2"),
    ],
    ids=["more than there is", "negative", "less than one piece"],
)
def test_budget_refuses(sequences, count, message):
    with pytest.raises(ValueError, match=message):
        labelled_repetitions(sequences, count, np.random.default_rng(0))


def repetition(index, samples, set_number=None, fields=("watch_accel", "watch_gyro", "range")):
    shape = {"range": (samples,)}
    values = {name: np.full(shape.get(name, (samples, 3)), index, dtype=np.float32) for name in fields}
    numbers = {"subject": index % 3} | ({} if set_number is None else {"set": set_number})
    return Repetition(
        index=index,
        sample={"time": np.arange(samples) / 20, "phase": np.ones(samples, dtype=np.int8), **values},
        repetition=numbers,
    )


def dataset(folder: Path, repetitions):
    return write_dataset(folder, repetitions, recipe={"rate_hz": 20.0}, shard_repetitions=2)


def test_from_dataset_without_sets_gives_one_sequence_a_repetition(tmp_path):
    lengths = [30, 25, 40]
    data = dataset(tmp_path / "d", [repetition(i, n) for i, n in enumerate(lengths)])
    sequences = from_dataset(data, ("watch", "range"))
    assert [len(s) for s in sequences] == lengths
    assert [s.subject for s in sequences] == [0, 1, 2]
    for index, found in enumerate(sequences):
        assert found.channels == CHANNELS[:7]
        assert (found.values == index).all()
        assert (found.repetition == index).all()
        assert (found.phase == 1).all()


def test_from_dataset_joins_consecutive_repetitions_of_a_set(tmp_path):
    sets = [0, 0, 0, 1, 1]
    data = dataset(tmp_path / "d", [repetition(i, 10 + i, s) for i, s in enumerate(sets)])
    assert [s.count for s in from_dataset(data, ("watch",))] == [3, 2]
    some = from_dataset(data, ("watch",), repetitions=[4, 0, 1, 3])
    assert [s.name for s in some] == ["rep 0-1", "rep 3-4"]
    apart = from_dataset(data, ("watch",), repetitions=[0, 2, 3])
    assert [np.unique(s.repetition).tolist() for s in apart] == [[0], [2], [3]]
    assert [len(s) for s in apart] == [10, 12, 13]
    assert from_dataset(data, ("watch",), repetitions=[]) == []


def test_from_dataset_leaves_missing_channels_missing(tmp_path):
    data = dataset(tmp_path / "d", [repetition(0, 10, fields=("watch_accel", "watch_gyro"))])
    found = from_dataset(data, ("watch", "range", "phone"))[0]
    assert np.isfinite(found.values[:, :6]).all()
    assert np.isnan(found.values[:, 6:]).all()


def test_a_stalled_stream_is_missing_in_the_windows_and_its_neighbours_are_not(tmp_path):
    stalled = repetition(0, 40)
    stalled.sample["watch_accel"][10:25] = stalled.sample["watch_gyro"][10:25] = np.nan
    sequences = from_dataset(dataset(tmp_path / "d", [stalled]), ("watch", "range"))
    windows = cut(sequences, statistics_of(sequences), window=40, stride=40)
    missing = ~windows.present[0, :, :6].any(axis=1)
    assert np.array_equal(np.flatnonzero(missing), np.arange(10, 25))
    assert windows.present[0, :, 6].all()
    assert np.isfinite(windows.values).all()


def test_from_dataset_refuses_repetitions_that_are_not_there(tmp_path):
    data = dataset(tmp_path / "d", [repetition(0, 10)])
    with pytest.raises(ValueError, match="expected 0 to 0"):
        from_dataset(data, ("watch",), repetitions=[1])


def test_from_recordings_puts_all_on_the_shared_time():
    recording = Recording(
        name="r", subject=4, repetitions=5, watch=imu(-0.003, 9.0), range=distances(0.31), labels=phases()
    )
    found = from_recordings([recording], ("watch", "range"))[0]
    time = found.start_s + np.arange(len(found)) / 20
    assert found.start_s == pytest.approx(0.35)
    assert time[-1] == pytest.approx(8.95)
    assert (found.subject, found.count, found.name) == (4, 5, "r")
    np.testing.assert_allclose(found.values[5:-5, 5], 6 * np.sin(np.pi * time[5:-5]), atol=0.02)
    np.testing.assert_allclose(found.values[:, 6], 1.0 + 0.01 * time, atol=1e-6)
    np.testing.assert_array_equal(found.phase, np.round(time * 20) % 40 >= 20)
    np.testing.assert_array_equal(found.repetition, np.round(time * 20) // 40)


def test_from_recordings_masks_what_was_not_recorded():
    recording = Recording(name="r", subject=4, watch=imu())
    found = from_recordings([recording], ("watch", "range", "phone"))[0]
    windows = cut([found], statistics_of([found]))
    assert found.channels == CHANNELS
    assert windows.present[..., :6].all()
    assert not windows.present[..., 6:].any()
    assert (found.phase == -1).all()
    assert (found.repetition == -1).all()


def test_labels_do_not_reach_far():
    sparse = Labels(t=np.array([0.0, 1.0, 5.0]), phase=np.array([0, 1, 1], dtype=np.int8), repetition=np.zeros(3, int))
    found = from_recordings([Recording(name="r", subject=1, watch=imu(), labels=sparse)], ("watch",))[0]
    unlabelled = np.flatnonzero(found.phase == -1) / 20
    # The labels are 2.5 s apart (median), so each reaches 1.25 s.
    assert unlabelled.min() == pytest.approx(2.3)
    assert ((unlabelled < 3.75) | (unlabelled > 6.25)).all()


@pytest.mark.parametrize(
    ("recording", "message"),
    [
        (Recording(name="r", subject=1, phone=imu()), r"'r': got the streams \('phone',\)"),
        (Recording(name="r", subject=1, watch=imu(rate_hz=10.0)), "watch: got samples at 10 Hz"),
        (Recording(name="r", subject=1, watch=imu(), range=distances(20.0, 30.0)), "expected an overlap"),
    ],
    ids=["other streams", "slow", "apart"],
)
def test_from_recordings_refuses(recording, message):
    with pytest.raises(RecordingError, match=message):
        from_recordings([recording], ("watch", "range"))


def test_available_groups_are_those_of_every_recording():
    both = Recording(name="a", subject=1, watch=imu(), range=distances())
    one = Recording(name="b", subject=1, watch=imu(), phone=imu())
    assert available_groups([both]) == ("watch", "range")
    assert available_groups([both, one]) == ("watch",)
    assert available_groups([]) == ()
    assert set(available_groups([both])) <= set(GROUPS)
