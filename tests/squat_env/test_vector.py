"""Several wearers at once: each lane is the single environment with its seed."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from wearers import BODY, STILL, mounted

import squat_env  # noqa: F401
from squat_env.env import SquatSensorEnv
from squat_env.vector import SquatSensorVectorEnv

LANES = 3
STILL_ACTIONS = np.zeros((LANES, 29), np.float32)
ACTIONS = np.random.default_rng(0).normal(0.0, 0.1, (250, LANES, 29)).astype(np.float32)
MODES = [mode.value for mode in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP)]


def assert_equal(one, other, path=""):
    """Values, dictionaries of them and arrays of them are the same bits, and of the same types."""
    if isinstance(one, dict):
        assert isinstance(other, dict)
        assert set(one) == set(other), path
        for name in one:
            assert_equal(one[name], other[name], f"{path}/{name}")
    elif isinstance(one, np.ndarray) and one.dtype == object:
        for left, right in zip(one, other, strict=True):
            assert_equal(left, right, path)
    else:
        assert type(one) is type(other), path
        assert getattr(one, "dtype", None) == getattr(other, "dtype", None), path
        assert np.array_equal(one, other), path


@pytest.fixture
def lanes():
    made = gym.make_vec("SquatSensor-v0", num_envs=LANES, threads=2)
    yield made
    made.close()


def test_it_is_what_make_vec_makes(lanes):
    assert isinstance(lanes, SquatSensorVectorEnv)
    assert lanes.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert lanes.action_space.shape == (LANES, 29)
    observation, info = lanes.reset(seed=0)
    assert observation in lanes.observation_space
    assert info["landmarks"].shape == (LANES, 17, 3)
    assert gym.make_vec(lanes.spec).num_envs == LANES


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "arguments",
    [{"proprioception": True}, {"exercise": "lunge", "control_hz": 40}],
    ids=["squat", "lunge"],
)
def test_it_does_what_the_synchronous_one_does(arguments, threads, mode):
    lanes = gym.make_vec("SquatSensor-v0", num_envs=LANES, threads=threads, autoreset_mode=mode, **arguments)
    single = gym.make_vec(
        "SquatSensor-v0",
        num_envs=LANES,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": AutoresetMode(mode)},
        **arguments,
    )
    for one, other in zip(lanes.reset(seed=7), single.reset(seed=7), strict=True):
        assert_equal(one, other, "reset")
    assert lanes.np_random_seed == single.np_random_seed
    ended = 0
    for number, actions in enumerate(ACTIONS):
        mine, theirs = lanes.step(actions), single.step(actions)
        ended += int((mine[2] | mine[3]).sum())
        for name, one, other in zip(("seen", "reward", "fell", "over", "info"), mine, theirs, strict=True):
            assert_equal(one, other, f"{number} {name}")
    assert ended >= LANES
    lanes.close()
    single.close()


@pytest.mark.parametrize("context", ["fork", "spawn"])
@pytest.mark.slow
def test_it_does_what_the_asynchronous_one_does(lanes, context):
    processes = gym.make_vec(
        "SquatSensor-v0", num_envs=LANES, vectorization_mode="async", vector_kwargs={"context": context}
    )
    for one, other in zip(lanes.reset(seed=3), processes.reset(seed=3), strict=True):
        assert_equal(one, other, "reset")
    for number, actions in enumerate(ACTIONS[:30]):
        for one, other in zip(lanes.step(actions), processes.step(actions), strict=True):
            assert_equal(one, other, str(number))
    processes.close()


def test_a_lane_is_the_single_environment_with_its_seed(lanes):
    seeds = [11, 4, 900]
    observation, _ = lanes.reset(seed=seeds)
    for lane, seed in enumerate(seeds):
        env = SquatSensorEnv()
        assert_equal(env.reset(seed=seed)[0], {name: value[lane] for name, value in observation.items()})
    seen, rewards, *_ = lanes.step(ACTIONS[0])
    alone = env.step(ACTIONS[0, 2])
    assert_equal(alone[0], {name: value[2] for name, value in seen.items()})
    assert alone[1] == rewards[2]


def test_observations_share_no_memory(lanes):
    lanes.reset(seed=0)
    one = lanes.step(STILL_ACTIONS)[0]
    kept = {name: value.copy() for name, value in one.items()}
    other = lanes.step(STILL_ACTIONS)[0]
    assert_equal(one, kept)
    assert not any(np.shares_memory(one[name], other[name]) for name in one)


def test_a_mask_resets_some_lanes_and_leaves_the_others():
    lanes = gym.make_vec("SquatSensor-v0", num_envs=LANES, threads=1, autoreset_mode="Disabled")
    untouched = gym.make_vec("SquatSensor-v0", num_envs=LANES, threads=1, autoreset_mode="Disabled")
    for made in (lanes, untouched):
        made.reset(seed=1)
        made.step(STILL_ACTIONS)
    mask = np.array([False, True, False])
    _, info = lanes.reset(seed=[0, 50, 0], options={"reset_mask": mask})
    assert info["_progress"].tolist() == mask.tolist()
    mine, theirs = lanes.step(STILL_ACTIONS)[0], untouched.step(STILL_ACTIONS)[0]
    for lane in (0, 2):
        assert_equal({name: value[lane] for name, value in mine.items()}, {n: v[lane] for n, v in theirs.items()})
    alone = SquatSensorEnv()
    alone.reset(seed=50)
    assert_equal(alone.step(STILL_ACTIONS[1])[0], {name: value[1] for name, value in mine.items()})


def test_without_autoreset_a_lane_that_is_over_must_be_reset():
    lanes = gym.make_vec("SquatSensor-v0", num_envs=2, threads=1, autoreset_mode="Disabled", motion=STILL)
    with pytest.raises(gym.error.ResetNeeded):
        lanes.step(np.zeros((2, 29)))
    lanes.reset(seed=0)
    while not (over := lanes.step(np.zeros((2, 29)))[3]).any():
        pass
    with pytest.raises(gym.error.ResetNeeded, match="over"):
        lanes.step(np.zeros((2, 29)))
    lanes.reset(options={"reset_mask": over})
    lanes.step(np.zeros((2, 29)))


@pytest.mark.parametrize("wrong", [np.nan, np.inf], ids=str)
def test_a_bad_action_moves_nobody(lanes, wrong):
    lanes.reset(seed=0)
    actions = STILL_ACTIONS.copy()
    actions[1, 5] = wrong
    with pytest.raises(ValueError, match="1 values that are not finite"):
        lanes.step(actions)
    with pytest.raises(ValueError, match="expected"):
        lanes.step(STILL_ACTIONS[:2])
    seen = lanes.step(STILL_ACTIONS)[0]
    lanes.reset(seed=0)
    assert_equal(seen, lanes.step(STILL_ACTIONS)[0])


@pytest.mark.parametrize(
    ("options", "error"),
    [({"weather": 1}, "weather"), ({"reset_mask": [True] * LANES}, "reset_mask"), ({"body": 3}, "body is 3")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_absurd_options_are_refused_and_the_sets_go_on(lanes, options, error):
    lanes.reset(seed=0)
    before = list(lanes.episodes)
    with pytest.raises(ValueError, match=error):
        lanes.reset(options=options)
    assert lanes.episodes == before
    lanes.step(STILL_ACTIONS)


def test_draws_can_be_fixed_for_all_lanes(lanes):
    lanes.reset(seed=0, options={"body": BODY, "placement": mounted()})
    assert {episode.draw.body for episode in lanes.episodes} == {BODY}
    assert len({episode.draw.motion for episode in lanes.episodes}) == LANES


@pytest.mark.parametrize(
    "arguments", [{"num_envs": 0}, {"threads": -1}, {"autoreset_mode": "never"}, {"control_hz": 33}], ids=str
)
def test_absurd_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match=r"expected|not a valid"):
        SquatSensorVectorEnv(**arguments)


def test_a_lane_whose_physics_breaks_ends_without_a_nan(lanes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its log there
    lanes.reset(seed=0)
    (physics,) = lanes._lanes.values()
    physics.qvel[1] = 1e15
    seen, rewards, fell, over, _ = lanes.step(STILL_ACTIONS)
    assert fell.tolist() == [False, True, False]
    assert not over.any()
    assert np.isfinite(rewards).all()
    assert seen in lanes.observation_space
    assert not lanes.step(STILL_ACTIONS)[2].any()


def test_lanes_with_and_without_feedback_go_on_side_by_side():
    rising = replace(STILL, heel_rise_deg=10.0)
    lanes = SquatSensorVectorEnv(2, threads=2, autoreset_mode="Disabled")
    lanes.reset(seed=[5, 6])
    lanes.step(STILL_ACTIONS[:2])
    mask = np.array([False, True])
    lanes.reset(seed=[0, 7], options={"reset_mask": mask, "motion": rising})
    plain, fed_back = SquatSensorEnv(), SquatSensorEnv()
    plain.reset(seed=5)
    plain.step(STILL_ACTIONS[0])
    fed_back.reset(seed=7, options={"motion": rising})
    assert fed_back.episode.model.nsensordata > plain.episode.model.nsensordata
    for actions in ACTIONS[:20, :2]:
        seen, rewards, *_ = lanes.step(actions)
        for lane, alone in enumerate((plain, fed_back)):
            mine, reward, *_ = alone.step(actions[lane])
            assert_equal(mine, {name: value[lane] for name, value in seen.items()})
            assert reward == rewards[lane]
