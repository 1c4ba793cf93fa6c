"""The plain folder: round trips, every kind of damage by name, and the real recordings where they are."""

import os
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from real2sim.evaluation import refuse_overlap
from real2sim.recordings import Labels, Recording, RecordingError, Repairs, Stream
from real2sim.recordings.plain import read_folder, write_folder
from real2sim.recordings.recording import IMU_COLUMNS, IMU_UNITS, LANDMARK_COLUMNS, LANDMARKS
from real2sim.recordings.table import Column, _read_slowly, read_numbers
from real2sim.sequences import available_groups, from_recordings, people

REAL = os.environ.get("SQUAT_RECORDINGS")
needs_recordings = pytest.mark.skipif(not REAL, reason="SQUAT_RECORDINGS names no folder with the sets uiprmd and spsw")


def imu(rng, seconds=4.0, rate_hz=50.0):
    t = np.arange(0, seconds, 1 / rate_hz) + rng.uniform(0, 1e-3)
    values = rng.normal(0, 0.5, (len(t), 6)) + np.array([0, 9.8, 0, 0, 0, 0])
    return Stream(t=t, values=values, columns=IMU_COLUMNS, units=IMU_UNITS)


def recording(name="r1", subject=1, seed=0, **changes):
    rng = np.random.default_rng(seed)
    t = np.arange(0, 4.0, 0.05)
    readings = rng.uniform(0.4, 0.9, (20, 1))
    readings[3] = np.nan
    made = Recording(
        name=name,
        subject=subject,
        exercise="squat",
        correct=True,
        repetitions=2,
        watch_placement="left_wrist",
        phone_placement="right_front_pocket",
        watch=imu(rng),
        range=Stream(
            t=np.arange(20) * 0.2, values=readings, columns=("range",), units=("m",), repairs=Repairs(missing=1)
        ),
        labels=Labels(
            t=t, phase=(t % 2 > 1).astype(np.int8) - (t < 0.2).astype(np.int8), repetition=(t // 2).astype(int)
        ),
        landmarks=Stream(t=t, values=rng.normal(size=(80, 51)), columns=LANDMARK_COLUMNS, units=("m",) * 51),
    )
    return replace(made, **changes)


@pytest.fixture
def folder(tmp_path):
    write_folder(tmp_path / "set", [recording(), recording("r2", subject=2, seed=1, correct=None)])
    return tmp_path / "set"


def assert_same(a, b):
    for part in fields(Recording):
        one, other = getattr(a, part.name), getattr(b, part.name)
        if isinstance(one, (Stream, Labels)):
            for key, value in vars(one).items():
                np.testing.assert_array_equal(value, getattr(other, key), err_msg=f"{part.name}.{key}")
        else:
            assert one == other, part.name


def rewrite(path: Path, change):
    path.write_text(change(path.read_text()))


def cell(path: Path, line: int, column: str, value: str):
    """Put a value into a cell; lines count from 1, the header."""
    rows = [row.split(",") for row in path.read_text().splitlines()]
    rows[line - 1][rows[0].index(column)] = value
    path.write_text("\n".join(map(",".join, rows)) + "\n")


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=4, deadline=None)
def test_what_is_written_is_read_bit_for_bit(tmp_path_factory, seed):
    place = tmp_path_factory.mktemp("set") / "set"
    rng = np.random.default_rng(seed)
    written = [
        recording("a b-1", seed=seed),
        recording("é_2", subject=7, correct=False, range=None, phone=imu(rng), landmarks=None),
        recording("c3", subject=-1, exercise="=1+1", watch_placement="'@left", labels=None),
    ]
    write_folder(place, written)
    assert list(place.parent.iterdir()) == [place]
    for one, other in zip(read_folder(place, labels="optional"), written, strict=True):
        assert_same(one, other)


def test_a_formula_is_not_written_as_one(tmp_path):
    write_folder(tmp_path / "set", [recording(exercise="=cmd()")])
    assert "=cmd()" not in (tmp_path / "set/recordings.csv").read_text().replace("'=cmd()", "")


def test_reading_chooses_people_and_exercise(tmp_path):
    listed = [recording(f"r{i}", subject=i % 3, exercise="squat" if i < 4 else "lunge") for i in range(6)]
    write_folder(tmp_path / "set", listed)
    assert [r.name for r in read_folder(tmp_path / "set", subjects=[0, 2])] == ["r0", "r2", "r3", "r5"]
    assert [r.name for r in read_folder(tmp_path / "set", subjects=[2], exercise="lunge")] == ["r5"]
    with pytest.raises(RecordingError, match=r"subjects \[0, 2\], expected some of \[1, 2\]"):
        read_folder(tmp_path / "set", subjects=[0, 2], exercise="lunge")
    with pytest.raises(RecordingError, match=r"'row', expected one of \['lunge', 'squat'\]"):
        read_folder(tmp_path / "set", exercise="row")


def test_repr_shows_shapes_and_no_data():
    text = repr(recording())
    assert "values (200, 6) [m/s^2, rad/s], 50.0 Hz" in text
    assert len(text) < 800


def test_landmarks_are_seventeen():
    assert len(LANDMARKS) == len(set(LANDMARKS)) == 17
    assert LANDMARK_COLUMNS[3:6] == ("left_shoulder_x", "left_shoulder_y", "left_shoulder_z")


def test_rows_out_of_order_and_double_are_repaired_and_counted(folder):
    def shuffle(text):
        rows = text.splitlines()
        rows[5], rows[6] = rows[6], rows[5]
        return "\n".join([*rows, rows[9]])

    rewrite(folder / "r1/watch.csv", shuffle)
    rewrite(folder / "r1/labels.csv", shuffle)
    found = read_folder(folder)[0]
    assert_same(replace(found, watch=None, labels=None), recording(watch=None, labels=None))
    np.testing.assert_array_equal(found.watch.values, recording().watch.values)
    np.testing.assert_array_equal(found.labels.phase, recording().labels.phase)
    assert found.watch.repairs == Repairs(unsorted=2, duplicates=1)
    assert found.repairs == Repairs(unsorted=4, duplicates=2, missing=1)


def test_a_pause_is_counted_and_stays_a_pause(folder):
    rewrite(folder / "r1/watch.csv", lambda text: "\n".join(text.splitlines()[:100] + text.splitlines()[120:]))
    found = read_folder(folder)[0]
    assert found.watch.repairs == Repairs(gaps=1)
    assert np.isnan(from_recordings([found], ("watch",))[0].values).any()


@pytest.mark.parametrize("newline", ["\r\n", "\n\n"], ids=["CRLF", "blank lines"])
def test_line_ends_and_blank_lines_and_bom_are_no_data(folder, newline):
    path = folder / "r1/range.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", newline.encode()))
    assert_same(read_folder(folder)[0], recording())


def test_further_columns_are_ignored(folder):
    rewrite(
        folder / "r1/labels.csv",
        lambda text: "\n".join(f'{row},"a, ""note"" {i}"' for i, row in enumerate(text.splitlines())),
    )
    assert_same(read_folder(folder)[0], recording())


NOT_A_NUMBER = ["", "abc", "nan", "NaN", "inf", "-Infinity", "1_000", "1e400", "0x10", "1,5", "１", "1 2", "--1", "1e"]


@pytest.mark.parametrize("value", NOT_A_NUMBER)
def test_an_inertial_cell_holds_a_plain_number(folder, value):
    cell(folder / "r1/watch.csv", 7, "acc_y", value)
    where = r"watch\.csv, line 7" + ("" if "," in value else r", column 'acc_y': got .*expected a finite number")
    with pytest.raises(RecordingError, match=where):
        read_folder(folder)


@pytest.mark.parametrize(
    ("file", "column", "value", "expected"),
    [
        ("range.csv", "range", "lost", "a finite number of at least 0 or nothing"),
        ("range.csv", "range", "nan", "a finite number of at least 0 or nothing"),
        ("range.csv", "range", "-0.3", "a finite number of at least 0 or nothing"),
        ("range.csv", "t", "", "a finite number"),
        ("labels.csv", "phase", "2", "a whole number from 0 to 1 or nothing"),
        ("labels.csv", "phase", "0.5", "a whole number from 0 to 1 or nothing"),
        ("labels.csv", "rep", "-1", "a whole number from 0 to 1e"),
        ("landmarks.csv", "nose_x", "", "a finite number"),
        ("../recordings.csv", "subject", "one", "a whole number"),
        ("../recordings.csv", "correct", "yes", "a whole number from 0 to 1 or nothing"),
        ("../recordings.csv", "reps", "", "a whole number"),
        ("../recordings.csv", "recording", "../../etc", "the name of a folder"),
        ("../recordings.csv", "recording", "R1", "listed once"),
    ],
)
def test_a_wrong_cell_is_named(folder, file, column, value, expected):
    cell(folder / "r1" / file, 3, column, value)
    with pytest.raises(RecordingError) as caught:
        read_folder(folder)
    message = str(caught.value)
    assert f"{Path(file).name}, line 3, column {column!r}: got {value!r}, expected" in message
    assert expected in message
    assert "\n" not in message


def remove(name):
    return lambda folder: (folder / name).unlink()


def drop_streams(folder):
    for name in ("watch", "range"):
        (folder / f"r1/{name}.csv").unlink()


def scale(name, columns, factor):
    def change(folder):
        path = folder / name
        rows = [row.split(",") for row in path.read_text().splitlines()]
        for row in rows[1:]:
            for column in columns:
                place = rows[0].index(column)
                row[place] = repr(float(row[place]) * factor) if row[place] else ""
        path.write_text("\n".join(map(",".join, rows)))

    return change


def overwrite(name, text):
    return lambda folder: (folder / name).write_bytes(text)


def edit(name, old, new):
    return lambda folder: rewrite(folder / name, lambda text: text.replace(old, new, 1))


def only_empty_range(folder):
    rewrite(folder / "r1/range.csv", lambda text: "\n".join(["t,range"] + [f"{i / 5}," for i in range(20)]))


def late_range(folder):
    rewrite(folder / "r1/range.csv", lambda text: "\n".join(["t,range"] + [f"{i + 50},0.{i}" for i in range(20)]))


DAMAGE = {
    "no list": (remove("recordings.csv"), "got a folder without recordings"),
    "empty list": (overwrite("recordings.csv", b""), "recordings.csv: got an empty file"),
    "list without rows": (
        overwrite(
            "recordings.csv",
            b"recording,subject,exercise,correct,reps,duration_s,watch_placement,phone_placement\n",
        ),
        "recordings.csv: got no recording",
    ),
    "list lacks a column": (edit("recordings.csv", "subject", "person"), "column 'subject': got it 0 times"),
    "no folder": (lambda folder: (folder / "r1").rename(folder / "elsewhere"), "r1: got no such folder"),
    "no labels": (remove("r1/labels.csv"), "labels.csv: got no such file, expected labels.*optional"),
    "no streams": (drop_streams, r"r1: got no stream, expected one or more of .*watch\.csv"),
    "column missing": (edit("r1/watch.csv", "gyr_z", "gyro_z"), "column 'gyr_z': got it 0 times"),
    "column twice": (edit("r1/watch.csv", "gyr_z", "gyr_y"), "column 'gyr_y': got it 2 times"),
    "header alone": (overwrite("r1/range.csv", b"t,range\n"), "range.csv: got no row"),
    "empty file": (overwrite("r1/watch.csv", b"\n"), "watch.csv: got an empty file"),
    "not text": (overwrite("r1/watch.csv", b"t\n\xff\xfe"), "watch.csv, line 2: got the byte 0xff"),
    "ragged row": (edit("r1/range.csv", "0.2,", "0.2,0.2,"), "range.csv, line 3: got 3 cells, expected 2"),
    "short row": (overwrite("r1/range.csv", b"t,range\n0,1\n0.2\n"), "range.csv, line 3: got 1 cells"),
    "open quote": (overwrite("r1/range.csv", b't,range\n0,1\n0.2,"1\n'), "range.csv, line 3: got a row"),
    "no reading": (only_empty_range, "column 'range': got no value at all"),
    "constant": (scale("r1/watch.csv", ["gyr_x"], 0.0), "column 'gyr_x': got -?0 throughout"),
    "acceleration in g": (scale("r1/watch.csv", IMU_COLUMNS[:3], 1 / 9.8), "got a median norm of 0.9.*looks like g"),
    "no gravity": (scale("r1/watch.csv", IMU_COLUMNS[:3], 0.01), "got a median norm of 0.0.*add gravity"),
    "milli-g": (scale("r1/watch.csv", IMU_COLUMNS[:3], 102.0), "convert to m/s"),
    "gyro in deg/s": (scale("r1/watch.csv", IMU_COLUMNS[3:], 180 / np.pi), "looks like deg/s"),
    "t in microseconds": (scale("r1/watch.csv", ["t"], 1e6), "column 't': got 200 times within 3.98e.06"),
    "one row": (overwrite("r1/range.csv", b"t,range\n0,1\n"), "column 't': got 1 times"),
    "apart": (late_range, "r1: got files of which the last starts at t = 50 s"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_refused_in_one_sentence(folder, damage):
    change, message = DAMAGE[damage]
    change(folder)
    with pytest.raises(RecordingError, match=message) as caught:
        read_folder(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(RecordingError, match="got a folder without recordings"):
        read_folder(tmp_path / "nothing")


def test_labels_may_be_optional(folder):
    (folder / "r1/labels.csv").unlink()
    assert [r.labels is None for r in read_folder(folder, labels="optional")] == [True, False]


@given(data=st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_fast_and_the_slow_reader_agree(tmp_path, data):
    path = tmp_path / "numbers.csv"
    number = st.one_of(
        st.floats(allow_nan=False, allow_infinity=False).map(repr),
        st.integers(-99, 99).map(str),
        st.sampled_from(["", "1e400", ".5", "5.", "+3", "-", "1e5", "1-2", "nan", "."]),
    )
    rows = data.draw(st.lists(st.lists(number, min_size=1, max_size=3), min_size=1, max_size=4))
    path.write_text("t,x\n" + "\n".join(map(",".join, rows)) + "\n")
    columns = (Column("t"), Column("x", empty=True))

    def outcome(read):
        try:
            return read(path, columns)
        except RecordingError as error:
            return str(error)

    fast, slow = outcome(read_numbers), outcome(_read_slowly)
    assert type(fast) is type(slow)
    np.testing.assert_array_equal(fast, slow)


@given(data=st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused_by_name(tmp_path, data):
    path = tmp_path / "bytes.csv"
    whole = b"t,x\n0,1\n0.05,\n0.1,2.5\n"
    at = data.draw(st.integers(0, len(whole)))
    junk = data.draw(st.one_of(st.binary(max_size=6), st.text('0123456789.,eE+-"\n\r\0 ', max_size=6).map(str.encode)))
    path.write_bytes(whole[:at] + junk + whole[at + data.draw(st.integers(0, 4)) :])
    try:
        numbers = read_numbers(path, (Column("t"), Column("x", empty=True)))
    except RecordingError as error:
        refused = str(error)
    else:
        refused = ""
        assert numbers.shape[1] == 2
        assert np.isfinite(numbers[:, 0]).all()
    assert not refused or refused.startswith(str(path))


def nothing_left(tmp_path):
    return list(tmp_path.iterdir()) == []


BROKEN = {
    "name of another folder": ([recording("../r")], "the name of a folder"),
    "one name twice": ([recording("r"), recording("R")], "listed once"),
    "no recording": ([], "got no recording to write"),
    "no stream": ([recording(watch=None, range=None)], "got no stream"),
    "NaN in an inertial stream": (
        [recording("r0"), recording(watch=replace(imu(np.random.default_rng(0)), values=np.full((200, 6), np.nan)))],
        "'r1', watch: got a NaN",
    ),
    "times out of order": (
        [recording(watch=replace(imu(np.random.default_rng(0)), t=np.arange(200)[::-1] / 50))],
        "'r1', watch: got times out of order",
    ),
    "columns of another order": (
        [recording(watch=replace(imu(np.random.default_rng(0)), columns=IMU_COLUMNS[::-1]))],
        "'r1', watch: got columns",
    ),
    "acceleration in g": (
        [
            recording(
                watch=replace(imu(np.random.default_rng(0)), values=np.random.default_rng(0).normal(0, 0.5, (200, 6)))
            )
        ],
        "looks like g",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_writing_refuses_what_reading_would_and_leaves_nothing(tmp_path, case):
    recordings, message = BROKEN[case]
    with pytest.raises(RecordingError, match=message):
        write_folder(tmp_path / "set", recordings)
    assert nothing_left(tmp_path)


def test_writing_never_touches_what_exists(folder):
    before = sorted(folder.rglob("*"))
    with pytest.raises(RecordingError, match="got a folder that exists"):
        write_folder(folder, [recording()])
    assert sorted(folder.rglob("*")) == before


@needs_recordings
@pytest.mark.parametrize(
    ("name", "number", "groups", "exercises"),
    [
        ("uiprmd", 24, ("watch", "range"), {"squat", "sit_to_stand"}),
        ("spsw", 143, ("watch", "phone"), {"sit_to_stand"}),
    ],
)
def test_real_recordings_are_read(name, number, groups, exercises):
    recordings = read_folder(Path(str(REAL)) / name)
    assert len(recordings) == number
    assert available_groups(recordings) == groups
    assert {r.exercise for r in recordings} == exercises
    sequences = from_recordings(recordings, groups)
    for sequence in sequences:
        inertial = sequence.values[:, [c != "range" for c in sequence.channels]]
        assert np.isfinite(inertial).mean() > 0.98, sequence.name
        assert set(np.unique(sequence.phase)) <= {-1, 0, 1}, sequence.name
        assert (sequence.phase >= 0).mean() > 0.9, sequence.name
        assert 8.5 < np.median(np.linalg.norm(sequence.values[:, :3], axis=1)) < 12, sequence.name


@needs_recordings
def test_real_people_can_be_kept_apart():
    recordings = read_folder(Path(str(REAL)) / "uiprmd", exercise="squat")
    known = people(from_recordings(recordings, ("watch",)))
    refuse_overlap(known[:4], known[4:])
    with pytest.raises(ValueError, match="expected nobody in both"):
        refuse_overlap(known[:4], known[3:])
