"""Captures: what surrounds repetitions, and how it joins them."""

import time
from dataclasses import replace

import numpy as np
import pytest

from squat_env import take as takes
from squat_env.activities import sample_setting
from squat_env.feet import foot_sites
from squat_env.gait import Gait
from squat_env.landmarks import LANDMARKS
from squat_env.population import Population, Seeds, prepare
from squat_env.sensors import observe_scene, read_sensors
from squat_env.simulate import simulate
from squat_env.surroundings import ACTIVITIES, Setting, Surroundings
from squat_env.take import EXERCISE, SITTING, WALKING, Take, capture
from squat_env.timeline import BOTTOM

ALWAYS = Surroundings(before=1.0, between=1.0, after=1.0, from_seat=1.0, exercised=1.0)
DEVICES = ("watch_accel", "watch_gyro", "phone_accel", "phone_gyro")


def only(activity: str) -> Surroundings:
    return replace(ALWAYS, activities=((activity, 1.0),))


class Wearer:
    """One simulated set, to be captured in any surroundings."""

    def __init__(self, exercise: str, index: int = 0, repetitions: int = 2):
        self.exercise = exercise
        seeds = Seeds(seed=0, index=index)
        self.prepared = prepare(Population(), seeds, exercise=exercise, repetitions=repetitions)
        self.simulation = simulate(self.prepared.model, self.prepared.reference)

    def setting(self, ranges: Surroundings, seed: int = 0) -> Setting:
        return sample_setting(
            ranges,
            np.random.default_rng(seed),
            body=self.prepared.draw.body,
            motion=self.prepared.draw.motion,
            has_seat=self.exercise == "sit_to_stand",
        )

    def capture(self, ranges: Surroundings, seed: int = 0) -> Take:
        return capture(self.prepared, self.simulation, self.setting(ranges, seed))


@pytest.fixture(scope="module")
def squatter():
    return Wearer("squat")


@pytest.fixture(scope="module")
def sitter():
    return Wearer("sit_to_stand", repetitions=1)


@pytest.fixture(scope="module", params=["squat", "sit_to_stand", "lunge"])
def anyone(request):
    return Wearer(request.param)


def joins(take: Take) -> np.ndarray:
    """Rows before which physics begins or ends."""
    return np.flatnonzero(np.diff(take.dynamics.astype(int)))


def test_nothing_surrounds_a_set_by_default(squatter):
    take = squatter.capture(Surroundings())
    assert np.array_equal(take.simulation.sensors, squatter.simulation.sensors)
    assert (take.dynamics == 1).all()
    assert (take.activity == EXERCISE).all()


@pytest.mark.parametrize("seed", range(3))
def test_pieces_join_without_a_jump(anyone, seed):
    take = anyone.capture(ALWAYS, seed)
    rows = joins(take)
    assert len(rows) >= 2
    ideal = read_sensors(anyone.prepared.model, take.simulation)
    for name in DEVICES:
        jump = np.abs(np.diff(getattr(ideal, name), axis=0)[rows]).max()
        assert jump < (4.0 if "accel" in name else 0.15), f"{name} jumps by {jump:.2f} where pieces join"
    assert np.abs(np.diff(take.simulation.qpos, axis=0)[rows]).max() < 0.01


@pytest.mark.parametrize("activity", ACTIVITIES)
def test_nothing_is_thrown_about(squatter, activity):
    take = squatter.capture(only(activity) if activity != "sit" else replace(only("sit"), before=0.0, between=0.0), 1)
    ideal = read_sensors(squatter.prepared.model, take.simulation)
    played = take.dynamics == 0
    assert played.any()
    for name in ("watch_accel", "phone_accel"):
        most = np.linalg.norm(getattr(ideal, name)[played], axis=1).max()
        assert most < 70.0, f"{name} reads {most:.0f} m/s^2"


def test_a_capture_is_the_same_each_time(squatter):
    one, other = squatter.capture(ALWAYS, 3), squatter.capture(ALWAYS, 3)
    assert np.array_equal(one.simulation.sensors, other.simulation.sensors)
    assert np.array_equal(one.simulation.qpos, other.simulation.qpos)


def test_who_walks_and_fidgets_is_upright_and_outside_the_exercise(squatter):
    take = squatter.capture(only("walk"))
    outside = take.activity[::20] != EXERCISE
    assert np.array_equal(outside, take.dynamics[::20] == 0)
    assert (take.phase[::20][outside] == 1).all()
    assert (take.phase4[::20][outside] == 0).all()
    assert (take.activity == WALKING).mean() > 0.1


def test_repetitions_get_longer_and_stay_in_order(squatter):
    take = squatter.capture(ALWAYS)
    assert (np.diff(take.repetition) >= 0).all()
    assert len(take.starts) == 3
    assert np.allclose(np.diff(take.simulation.time), 0.0025)
    for number, begin in enumerate(take.starts[:-1]):
        assert take.repetition[round(begin / 0.0025)] == number
    assert (take.activity == EXERCISE).sum() >= len(squatter.simulation.time) - 1


def test_a_set_from_the_seat_rises_walks_and_sits_down(sitter):
    take = sitter.capture(ALWAYS)
    phase = take.phase[::20].astype(int)
    assert (phase[0], phase[-1]) == (0, 0)
    assert np.abs(np.diff(phase)).sum() == 2
    order = take.phase4[np.flatnonzero(np.diff(take.phase4, prepend=-1))]
    assert order.tolist() == [2, 3, 0, 1, 2]
    walked = take.activity == WALKING
    assert walked.any()
    assert (take.phase4[walked] == 0).all()


def test_a_brisk_rise_takes_the_time_that_it_is_given(sitter):
    ranges = replace(ALWAYS, brisk=1.0, brisk_rise_s=(1.2, 1.2))
    take = sitter.capture(ranges, 2)
    assert (take.phase4 == 3).sum() * 0.0025 == pytest.approx(1.2, abs=0.01)
    assert (take.dynamics == 0).all()
    ideal, rows = read_sensors(sitter.prepared.model, take.simulation), np.flatnonzero(np.diff(take.activity))
    for name in DEVICES:
        jump = np.abs(np.diff(getattr(ideal, name), axis=0)[rows]).max()
        assert jump < (4.0 if "accel" in name else 0.15), f"{name} jumps by {jump:.2f} where pieces join"


def test_walkers_come_back_to_their_chair(sitter):
    take = sitter.capture(ALWAYS)
    first, last = take.simulation.qpos[[0, -1]]
    assert np.linalg.norm(first[:2] - last[:2]) < 0.8


def test_standing_feet_do_not_slide(squatter, monkeypatch):
    passages = []
    perform = takes.perform

    def watched(*args, **options):
        passages.append(perform(*args, **options))
        return passages[-1]

    monkeypatch.setattr(takes, "perform", watched)
    for seed in range(4):
        squatter.capture(only("walk") if seed % 2 else ALWAYS, seed)
    for passage in passages:
        work, qpos = passage.footwork, passage.course.qpos[::8]
        knots = np.arange(len(qpos))  # 50 Hz both
        heels = foot_sites(squatter.prepared.model, qpos, ("heel",))[:, :, 0]
        for side in range(2):
            heel = heels[:, side]
            flat = work.planted[knots, side] & (np.abs(work.pitch[knots, side]) < np.deg2rad(2.0))
            starts = np.flatnonzero(np.diff(flat.astype(int), prepend=0) == 1)
            for start, stop in zip(starts, [*starts[1:], len(flat)], strict=True):
                stood = heel[start:stop][flat[start:stop]]
                assert np.linalg.norm(stood[:, :2] - stood[0, :2], axis=1).max() < 0.02
                assert np.abs(stood[:, 2]).max() < 0.02


def test_sitting_down_at_the_end_is_no_repetition(squatter):
    take = squatter.capture(replace(only("sit"), before=0.0, between=0.0))
    seated = take.activity == SITTING
    assert seated[-1]
    hips = [LANDMARKS.index("left_hip"), LANDMARKS.index("left_knee")]
    landmarks = observe_scene(squatter.prepared.model, take.simulation.qpos[-1:]).landmarks[0, hips, 2]
    assert landmarks[0] - landmarks[1] < 0.15


def test_playing_costs_less_than_physics(squatter):
    setting = squatter.setting(ALWAYS)
    begin = time.process_time()
    simulated = simulate(squatter.prepared.model, squatter.prepared.reference)
    middle = time.process_time()
    take = capture(squatter.prepared, simulated, setting)
    end = time.process_time()
    played = (take.dynamics == 0).sum()
    ratio = (end - middle) / played / ((middle - begin) / len(simulated.time))
    assert ratio < 1.0


@pytest.mark.parametrize("speed", [0.6, 1.1, 1.6])
def test_speed_is_step_times_cadence(speed):
    gait = Gait(speed_mps=speed)
    assert gait.step_m(0.86) * gait.cadence_hz(0.86) == pytest.approx(speed)
    assert 1.2 < gait.cadence_hz(0.86) < 2.4


def test_absurd_gaits_and_surroundings_are_refused():
    with pytest.raises(ValueError, match="speed_mps"):
        Gait(speed_mps=9.0)
    with pytest.raises(ValueError, match="before"):
        Surroundings(before=1.5)
    with pytest.raises(ValueError, match="dance"):
        Surroundings(activities=(("dance", 1.0),))


def test_arms_and_thighs_move_on_the_seat_while_the_pelvis_stays(sitter):
    ranges = replace(ALWAYS, rests=1.0, rest_s=(3.0, 3.0))
    take = sitter.capture(ranges)
    still, rested = sitter.capture(replace(ALWAYS, rests=0.0)), take.activity == SITTING
    assert len(take.phase) - len(still.phase) == rested.sum() == 2 * 3.0 * 400
    assert (take.phase[rested] == 0).all()
    assert (take.phase4[rested] == BOTTOM).all()
    assert not take.dynamics[rested].any()
    before = take.simulation.qpos[:1200]
    assert np.ptp(before[:, :7], axis=0).max() < 1e-3
    wrist, thigh = (observed(sitter, take, 1200, name) for name in ("left_wrist", "left_knee"))
    assert np.ptp(wrist, axis=0).max() > 0.02
    assert 0.0 < np.ptp(thigh, axis=0).max() < 0.1


def observed(wearer: Wearer, take: Take, count: int, name: str) -> np.ndarray:
    scene = observe_scene(wearer.prepared.model, take.simulation.qpos[:count])
    return scene.landmarks[:, LANDMARKS.index(name)]


def test_readings_go_on_from_the_seat_into_the_rise(sitter):
    take = sitter.capture(replace(ALWAYS, rests=1.0, brisk=0.0))
    seam = int(np.flatnonzero(np.diff((take.activity == SITTING).astype(int)))[0]) + 1
    for name in DEVICES:
        readings = getattr(read_sensors(sitter.prepared.model, take.simulation), name)
        step = np.linalg.norm(np.diff(readings[seam - 2 : seam + 2], axis=0), axis=1)
        assert step.max() < 0.25, name
