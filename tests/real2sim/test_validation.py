"""Validation on repetitions, signals and distributions whose answers are known, and on the real recordings."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from real2sim.cli import main
from real2sim.recordings import Labels, Recording, Stream
from real2sim.recordings.plain import COLUMNS, UNITS, read_folder, write_folder
from real2sim.recordings.recording import LANDMARKS
from real2sim.simulation import make_stand_ins, make_validated, peak_loads, validation_recipe
from real2sim.validation import amplitude
from real2sim.validation.comparison import Comparison, compare, compare_curves, outside
from real2sim.validation.movement import curve, find_events, posture_of
from real2sim.validation.published import BANDS, LOADS, hold
from real2sim.validation.quantities import QUANTITIES, Measured, measure
from squat_env.loads import peak_loads as loads_of

REAL = os.environ.get("SQUAT_RECORDINGS")
needs_recordings = pytest.mark.skipif(not REAL, reason="SQUAT_RECORDINGS names no folder with the sets uiprmd and spsw")
THIGH, SHANK, TRUNK, UPPER_ARM, FOREARM = 0.42, 0.40, 0.5, 0.3, 0.25


def body(knee_deg, lean_deg=0.0, *, toe_out_deg=0.0, upper_arm_deg=0.0, elbow_deg=0.0, turn_deg=0.0, half_stance=0.15):
    """Landmarks (T, 17, 3) of a body whose shank and thigh tilt by half the knee flexion each, turned about z."""
    knee, lean = np.deg2rad(np.broadcast_arrays(np.atleast_1d(knee_deg), lean_deg))
    ahead, up = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])

    def along(length, angle):
        return length * (np.sin(angle)[:, None] * ahead + np.cos(angle)[:, None] * up)

    at = {}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        ankle = np.array([0.0, sign * half_stance, 0.08]) + 0 * knee[:, None]
        toes = np.deg2rad(sign * toe_out_deg)
        foot = 0.2 * np.array([np.cos(toes), np.sin(toes), 0.0])
        at[f"{side}_ankle"], at[f"{side}_heel"] = ankle, ankle - [0, 0, 0.08]
        at[f"{side}_foot_index"] = at[f"{side}_heel"] + foot
        at[f"{side}_knee"] = ankle + along(SHANK, 0.5 * knee)
        at[f"{side}_hip"] = at[f"{side}_knee"] + along(THIGH, -0.5 * knee)
        at[f"{side}_shoulder"] = at[f"{side}_hip"] + along(TRUNK, lean)
        raised = np.pi - np.deg2rad(upper_arm_deg) + 0 * knee
        at[f"{side}_elbow"] = at[f"{side}_shoulder"] + along(UPPER_ARM, raised)
        at[f"{side}_wrist"] = at[f"{side}_elbow"] + along(FOREARM, raised - np.deg2rad(elbow_deg))
    at["nose"] = 0.5 * (at["left_shoulder"] + at["right_shoulder"]) + [0.1, 0.0, 0.2]
    turn = np.deg2rad(turn_deg)
    rotation = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1.0]])
    return np.stack([at[name] for name in LANDMARKS], axis=1) @ rotation.T


@pytest.mark.parametrize("turn_deg", [0.0, 130.0])
def test_posture_gives_back_the_angles_of_a_built_body(turn_deg):
    posture = posture_of(
        body([10.0, 90.0], [2.0, 40.0], toe_out_deg=17.0, upper_arm_deg=120.0, elbow_deg=35.0, turn_deg=turn_deg)
    )
    np.testing.assert_allclose(posture.knee, [[10, 10], [90, 90]], atol=1e-6)
    np.testing.assert_allclose(posture.lean, [2, 40], atol=1e-6)
    np.testing.assert_allclose(posture.shank, [[5, 5], [45, 45]], atol=1e-6)
    np.testing.assert_allclose(posture.hip[1], 45 + 40, atol=1e-6)
    np.testing.assert_allclose(posture.toe_out, 17, atol=1e-6)
    np.testing.assert_allclose(posture.upper_arm, 120, atol=1e-6)
    np.testing.assert_allclose(posture.elbow, 35, atol=1e-6)
    np.testing.assert_allclose(posture.stance, 0.3, atol=1e-9)
    np.testing.assert_allclose(posture.leg, THIGH + SHANK, atol=1e-9)
    np.testing.assert_allclose(posture.knee_in, 0, atol=1e-9)


def test_knees_that_move_inwards_are_positive_on_both_sides():
    landmarks = body([90.0])
    for side, sign in (("left", 1.0), ("right", -1.0)):
        landmarks[:, LANDMARKS.index(f"{side}_knee"), 1] -= sign * 0.03
    np.testing.assert_allclose(posture_of(landmarks).knee_in, 0.03, atol=1e-9)


def trapezium(time, start, descent, bottom, ascent):
    """Depth 0-1 with straight flanks."""
    corners = np.cumsum([start, descent, bottom, ascent])
    return np.interp(time, corners, [0, 1, 1, 0])


def test_events_of_straight_flanks():
    time = np.arange(0, 5, 0.05)
    events = find_events(time, 1.0 - 0.4 * trapezium(time, 0.7, 1.2, 0.5, 0.9))
    assert events is not None
    assert events.descent == pytest.approx(0.7 + 0.05 * 1.2, abs=0.01)
    assert events.bottom == pytest.approx(1.9 - 0.05 * 1.2, abs=0.01)
    assert events.ascent == pytest.approx(2.4 + 0.05 * 0.9, abs=0.01)
    assert events.stand == pytest.approx(3.3 - 0.05 * 0.9, abs=0.01)


@pytest.mark.parametrize(
    "height",
    [np.full(50, 1.0), np.linspace(1.0, 0.5, 50), np.linspace(0.5, 1.0, 50), 1 - 0.02 * np.hanning(50)],
    ids=["standing", "only down", "only up", "a nod"],
)
def test_what_is_no_repetition_has_no_events(height):
    assert find_events(np.arange(50) * 0.05, height) is None


def test_the_bottom_of_a_cosine_is_a_sixth_of_its_movement():
    time = np.arange(0, 2, 0.005)
    events = find_events(time, 1.0 + 0.25 * np.cos(np.pi * time))
    assert events is not None
    assert (events.ascent - events.bottom) / (events.stand - events.descent) == pytest.approx(0.168, abs=0.002)


def test_curve_runs_from_event_to_event():
    time = np.arange(0, 5, 0.01)
    events = find_events(time, 1.0 - 0.4 * trapezium(time, 1.0, 1.0, 0.0, 1.0))
    assert events is not None
    values = curve(time, 2.0 * time, events)
    np.testing.assert_allclose(values, 2.0 * np.linspace(events.descent, events.stand, 101))


def test_band_rms_of_a_known_sinusoid_stands_in_its_band_whatever_the_mounting():
    time = np.arange(0, 20, 0.02)
    one = np.sin(2 * np.pi * 1.5 * time)
    bands = amplitude.band_rms(3.0 * one + 9.81, 50.0)
    np.testing.assert_allclose(bands, [0, 0, 3 / np.sqrt(2), 0, 0], atol=0.02)
    turned = one[:, None] * np.array([1.0, 2.0, 2.0])
    np.testing.assert_allclose(amplitude.band_rms(turned, 50.0), bands, atol=0.02)


def test_band_rms_of_a_moment_is_unknown():
    assert np.isnan(amplitude.band_rms(np.zeros(100), 50.0)).all()


def test_amplitudes_ignore_what_is_missing():
    values = np.array([3.0, np.nan, -3.0, 3.0])
    assert amplitude.rms(values) == pytest.approx(3.0)
    assert amplitude.peak(values) == pytest.approx(3.0)
    assert amplitude.swing(np.array([0.0, np.nan, 1.0])) == pytest.approx(0.9)
    assert all(np.isnan(measure(np.full(3, np.nan))) for measure in (amplitude.rms, amplitude.peak, amplitude.swing))


def test_dynamic_is_zero_at_rest():
    np.testing.assert_allclose(amplitude.dynamic(9.81 * np.array([[0, 0, 1.0], [0.6, 0, 0.8]])), 0, atol=1e-12)


def test_turn_is_the_angle_of_the_means():
    upright = 9.81 * np.array([[0.0, 0.1, 1.0], [0.0, -0.1, 1.0], [np.nan, 0.0, 0.0]])
    down = 9.81 * np.array([[np.sin(0.5), 0.0, np.cos(0.5)]])
    assert amplitude.turn_deg(upright, down) == pytest.approx(np.rad2deg(0.5))
    assert np.isnan(amplitude.turn_deg(upright, down[:0]))


PERIOD_S, DESCENT_S, BOTTOM_S, ASCENT_S = 4.0, 1.2, 0.4, 1.0


def made_recording(name="r1", subject=1, *, knee=110.0, lean=30.0, repetitions=5, amplitude_=2.0, **changes):
    """Straight-flanked squats of known depth, tempo, range and watch amplitude."""
    time = np.arange(0, repetitions * PERIOD_S, 0.05)
    depth = trapezium(time % PERIOD_S, 0.6, DESCENT_S, BOTTOM_S, ASCENT_S)
    imu_time = np.arange(0, repetitions * PERIOD_S, 0.01)
    turning = np.cos(2 * np.pi * 1.5 * imu_time)
    still = 1e-3 * np.sin(imu_time)  # a column that never changes would be refused
    imu = np.column_stack([amplitude_ * turning + 9.81, still, still, turning, still, still])

    def stream(name, t, values):
        return Stream(t=t, values=values, columns=COLUMNS[name], units=UNITS[name])

    landmarks = body(10 + (knee - 10) * depth, 2 + (lean - 2) * depth, upper_arm_deg=150.0)
    made = Recording(
        name=name,
        subject=subject,
        exercise="squat",
        correct=True,
        repetitions=repetitions,
        watch=stream("watch", imu_time, imu),
        range=stream("range", time[::4], (1.0 - 0.3 * depth[::4])[:, None]),
        labels=Labels(t=time, phase=(depth < 0.5).astype(np.int8), repetition=(time // PERIOD_S).astype(int) + 1),
        landmarks=stream("landmarks", time, landmarks.reshape(len(time), -1)),
    )
    return replace(made, **changes)


def test_measure_gives_back_what_was_put_in():
    values = measure(made_recording()).values
    expected = {
        "knee_bottom": 110,
        "knee_standing": 10,
        "knee_travel": 100,
        "lean_bottom": 30,
        "lean_standing": 2,
        "hip_bottom": 55 + 30,
        "upper_arm_standing": 150,
        "upper_arm_travel": 0,
        "stance": 0.3 / (THIGH + SHANK),
        "drop": np.cos(np.deg2rad(5)) - np.cos(np.deg2rad(55)),
        "knee_left_right": 0,
        "heel_rise": 0,
    }
    lengths = {"hips": 0.3, "shoulders": 0.3, "thigh": THIGH, "upper_arm": UPPER_ARM, "forearm": FOREARM}
    for name, value in lengths.items():
        np.testing.assert_allclose(values[f"{name}_length"], value / (THIGH + SHANK), atol=1e-6, err_msg=name)
    for name, value in expected.items():
        np.testing.assert_allclose(values[name], value, atol=1e-3, err_msg=name)
        assert len(values[name]) == 5, name
    assert values["share_down"] == pytest.approx(
        0.5 * (DESCENT_S + ASCENT_S) / PERIOD_S + BOTTOM_S / PERIOD_S, abs=0.02
    )
    whole = values["pause_s"] + values["movement_s"][:-1]
    np.testing.assert_allclose(whole, PERIOD_S, atol=0.02)
    np.testing.assert_allclose(values["tempo_variation"], 0, atol=1e-3)
    np.testing.assert_allclose(values["slowing"], 1, atol=1e-3)


def test_measure_reads_the_devices():
    values = measure(made_recording()).values
    np.testing.assert_allclose(values["watch_accel"], np.sqrt(2), rtol=0.01)
    np.testing.assert_allclose(values["watch_gyro_2"], np.sqrt(0.5), rtol=0.02)
    np.testing.assert_allclose(values["watch_accel_2"], np.sqrt(2), rtol=0.02)
    np.testing.assert_allclose(values["range_swing"], 0.3, atol=0.01)
    np.testing.assert_allclose(values["range_upright"], 1.0, atol=1e-6)
    assert "phone_accel" not in values


def test_measure_takes_what_there_is():
    bare = made_recording(landmarks=None, range=None, labels=None)
    values = measure(bare).values
    assert set(values) == {name for name in values if name.startswith("watch_")}
    assert not len(values["watch_accel_upright"])
    unlabelled = made_recording(
        labels=Labels(t=np.arange(5.0), phase=np.full(5, -1, np.int8), repetition=np.full(5, -1))
    )
    assert not len(measure(unlabelled).values["share_down"])


def measured(values, subject=1, name="knee_bottom"):
    return Measured(name=f"s{subject}", subject=subject, values={name: np.asarray(values, float)}, curves={})


@pytest.mark.parametrize(
    ("people", "coverage", "out", "verdict"),
    [
        (np.linspace(0, 100, 1001), 0.9, 0, "covered"),
        (np.linspace(45, 55, 100), 1.0, 0, "covered, simulation far wider"),
        (np.linspace(96, 110, 100), 0.0, 1, "people lie above"),
        (np.linspace(-20, 20, 100), 0.375, 1, "people lie below"),
        (np.linspace(-20, 120, 141), 0.64, 0, "people reach below and above"),
    ],
)
def test_coverage_of_known_distributions(people, coverage, out, verdict):
    made = measured(np.linspace(0, 100, 1001))
    (found,) = compare([measured(people)], [made])
    assert found.coverage == pytest.approx(coverage, abs=0.015)
    assert found.people_outside == out
    assert found.verdict == verdict
    assert found.band == pytest.approx((5.0, 95.0))


def test_people_outside_are_counted_by_their_medians_and_the_worst_comes_first():
    made = [measured(np.arange(101.0)), measured(np.arange(101.0), name="lean_bottom")]
    real = [measured([50, 51], 1), measured([200], 2), measured([50], 3), measured([300, 301], 4)]
    real += [measured([-5, 500], 1, "lean_bottom")]
    knee, lean = compare(real, made)
    assert (knee.people, knee.people_outside) == (4, 2)
    assert [item.quantity.name for item in outside([knee, lean])] == ["lean_bottom", "knee_bottom"]


def test_curves_are_covered_point_by_point():
    ramp = np.linspace(0, 1, 101)
    made = [replace(measured([1]), curves={"knee": ramp + np.linspace(0, 1, 101)[:, None]})]
    real = [replace(measured([1]), curves={"knee": np.array([ramp + 0.5, np.where(ramp < 0.5, ramp + 0.5, 9.0)])})]
    (found,) = compare_curves(real, made)
    assert found.coverage == pytest.approx(0.75, abs=0.01)


def test_names_are_unique_and_every_band_is_of_something_known():
    names = [quantity.name for quantity in QUANTITIES]
    assert len(set(names)) == len(names)
    assert {band.name for band in BANDS} <= {*names, *LOADS}
    assert all(band.low < band.high and band.source for band in BANDS)


def test_hold_counts_what_lies_in_a_band():
    knee = next(band for band in BANDS if band.name == "knee_bottom")
    (found,) = hold([measured([knee.low - 1, knee.low, knee.high, knee.high + 1])], {})
    assert found.inside == 0.5
    (load,) = hold([], {"ground_force": np.array([1.2, 9.0])})
    assert (load.band.name, load.inside) == ("ground_force", 0.5)


def test_loads_of_a_statue_are_its_weight():
    """A body that barely moves bears its weight, and its knees hardly anything; a deep squat loads them more."""
    from squat_env.body import Body
    from squat_env.model import build_model
    from squat_env.motion import Cycle, Motion
    from squat_env.placement import Placement
    from squat_env.reference import plan

    model = build_model(Body(), Placement())
    slow = Cycle(descent_s=3.0, ascent_s=3.0)
    still = loads_of(model, plan(model, Body(), Motion(knee_flexion_deg=20.0, lean_deg=5.0, cycles=(slow,))))
    deep = loads_of(model, plan(model, Body(), Motion(knee_flexion_deg=105.0, cycles=(slow,))))
    assert still["ground_force"] == pytest.approx(1.0, abs=0.02)
    assert still["knee_torque"] < 0.4 < deep["knee_torque"] < 2.0
    assert still["ankle_flexion"] < deep["ankle_flexion"]


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory):
    folder = tmp_path_factory.mktemp("validation") / "stand-ins"
    make_stand_ins(folder, people=2, seed=0, jobs=1, progress=False)
    return folder


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("validation") / "sim"
    make_validated(folder, validation_recipe(reps=10, seed=1), jobs=1, progress=False)
    return folder


def test_stand_ins_measure_as_they_were_drawn(stand_ins):
    for recording in read_folder(stand_ins):
        values = measure(recording).values
        assert len(values["knee_bottom"]) == recording.repetitions == 10
        assert 70 < np.median(values["knee_bottom"]) < 125
        assert 1.0 < np.median(values["movement_s"]) < 4.0


def test_validate_prints_the_table_and_writes_the_page(stand_ins, simulated, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["validate", "--real", str(stand_ins), "--sim", str(simulated), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "knee_bottom" in printed
    assert "where real people lie outside" in printed
    result = json.loads((out / "validation.json").read_text())
    assert result["facts"]["people"] == 2
    assert result["facts"]["simulated repetitions"] == 10
    rows = {row["quantity"]["name"]: row for row in result["quantities"]}
    assert {"knee_bottom", "range_swing", "watch_accel", "phone_gyro"} <= set(rows)
    assert all(0 <= row["coverage"] <= 1 for row in rows.values())
    assert set(result["curves"]) == {"knee", "hip", "lean", "range"}
    assert (out / "validation.html").read_text().count("data:image/png") == 9  # the curves, eight groups


def test_validate_without_recordings_holds_against_bands(tmp_path, capsys):
    target = tmp_path / "bands.json"
    assert main(["validate", "--reps", "5", "--jobs", "1", "--quiet", "--arms", "forward", "--json", str(target)]) == 0
    result = json.loads(target.read_text())
    assert not result["quantities"]
    assert {row["band"]["name"] for row in result["bands"]} == {band.name for band in BANDS}
    assert "assumed" in capsys.readouterr().out


def test_arms_are_restricted_as_asked():
    recipe = validation_recipe(reps=5, seed=0, arms=("overhead", "raised"))
    assert recipe.population.motion.arms == (("overhead", 1.0), ("raised", 1.0))
    assert set(peak_loads(recipe, 1)) == set(LOADS)


def test_chair_rises_are_compared_in_sets_and_held_against_no_bands_of_squats(tmp_path, capsys):
    target, people = tmp_path / "chairs.json", tmp_path / "people"
    write_folder(people, [made_recording(exercise="sit_to_stand")])
    wish = ["validate", "--real", str(people), "--exercise", "sit_to_stand", "--reps", "5", "--jobs", "1", "--quiet"]
    assert main([*wish, "--arms", "goal_post", "--json", str(target)]) == 0
    result = json.loads(target.read_text())
    rows = {row["quantity"]["name"]: row for row in result["quantities"]}
    assert {"bottom_share", "share_down", "watch_turn"} <= set(rows)
    assert 60 < rows["knee_bottom"]["simulated"]["middle"] < 125  # a seat, not a deep squat
    assert not result["bands"]
    assert "share_down" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--real", "EMPTY"], "recordings.csv"),
        (["--real", "SET", "--exercise", "swimming"], "'swimming'"),
        (["--arms", "behind"], "'behind'"),
        (["--sim", "EMPTY"], "EMPTY"),
        (["--sim", "EMPTY", "--arms", "sides"], "--sim"),
        (["--real", "WRONG", "--correct"], "none marked as correct"),
    ],
    ids=["no list", "exercise", "arms", "dataset", "both", "none correct"],
)
def test_a_bad_wish_gives_one_sentence(arguments, words, tmp_path, capsys):
    (tmp_path / "EMPTY").mkdir()
    write_folder(tmp_path / "SET", [made_recording()])
    write_folder(tmp_path / "WRONG", [made_recording(correct=False)])
    arguments = [str(tmp_path / item) if (tmp_path / item).exists() else item for item in arguments]
    assert main(["validate", "--quiet", "--jobs", "1", *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.strip().splitlines()) == 1


def test_help_answers_without_heavy_imports():
    lines = ("import sys", "from real2sim.cli import main", "try:", " main(['validate', '--help'])", "finally:")
    code = "\n".join([*lines, " print(*sys.modules)"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "mujoco", "matplotlib"} & set(done.stdout.split())


@needs_recordings
def test_people_of_uiprmd_measure_as_they_were_looked_up():
    """The watch of six people in twelve sets of squats: amplitudes that were found independently of this module."""
    recordings = read_folder(Path(str(REAL)) / "uiprmd", exercise="squat")
    measures = [measure(recording) for recording in recordings]
    assert sum(len(item.values["knee_bottom"]) for item in measures) == 120
    found: list[Comparison] = compare(measures, measures)
    rows = {item.quantity.name: item for item in found}
    assert rows["watch_accel"].real.middle == pytest.approx(2.25, abs=0.05)
    assert rows["watch_gyro"].real.middle == pytest.approx(0.60, abs=0.02)
    assert rows["share_down"].real.middle == pytest.approx(0.41, abs=0.01)
    assert rows["watch_accel"].people == 6


@needs_recordings
def test_people_of_spsw_have_watch_and_phone_alone():
    values = measure(read_folder(Path(str(REAL)) / "spsw", subjects=[1])[0]).values
    assert {"watch_accel", "phone_gyro_upright"} <= set(values)
    assert "knee_bottom" not in values
    assert "range_swing" not in values
