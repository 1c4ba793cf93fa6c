"""`SquatSensor-v0` as Gymnasium's users meet it."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from wearers import BODY, STILL

import squat_env  # noqa: F401

ZERO = np.zeros(29, np.float32)


@pytest.fixture
def env():
    made = gym.make("SquatSensor-v0")
    yield made
    made.close()


def episode(env, seed, action=ZERO):
    observation, info = env.reset(seed=seed)
    observations, rewards, infos = [observation], [], [info]
    while True:
        observation, reward, terminated, truncated, info = env.step(action)
        observations.append(observation)
        rewards.append(reward)
        infos.append(info)
        if terminated or truncated:
            return observations, rewards, infos, terminated


@pytest.mark.parametrize("name", ["SquatSensor-v0", "squat_env:SquatSensor-v0"])
def test_it_is_what_gymnasium_expects(name):
    env = gym.make(name)
    check_env(env.unwrapped, skip_render_check=True)
    env.close()


def test_doing_nothing_squats(env):
    observations, rewards, infos, fell = episode(env, 3)
    assert not fell
    assert {info["phase4"] for info in infos} == {0, 1, 2, 3}
    assert {info["phase"] for info in infos} == {0, 1}
    assert np.mean(rewards) > 1.9
    assert all(observation in env.observation_space for observation in observations)
    varied = {name: np.std([o[name] for o in observations], axis=0) for name in observations[0]}
    assert all((spread > 0).all() for spread in varied.values()), varied


def test_reward_terms_add_up(env):
    _, rewards, infos, _ = episode(env, 1)
    for reward, info in zip(rewards, infos[1:], strict=True):
        assert np.isclose(reward, sum(info["reward_terms"].values()))


def test_the_same_seed_gives_the_same_episode_also_after_another(env):
    first = episode(env, 5)[0]
    env.reset(seed=9)
    for _ in range(5):
        env.step(np.ones(29, np.float32))
    second = episode(env, 5)[0]
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert all(np.array_equal(one[name], other[name]) for name in one)


def test_observations_share_no_memory(env):
    env.reset(seed=0)
    one = env.step(ZERO)[0]
    kept = {name: value.copy() for name, value in one.items()}
    other = env.step(ZERO)[0]
    assert all(np.array_equal(one[name], kept[name]) for name in one)
    assert not any(np.shares_memory(one[name], other[name]) for name in one)


def test_draws_can_be_fixed(env):
    env.reset(seed=0, options={"body": BODY, "motion": STILL})
    assert env.unwrapped.draw.body == BODY
    assert env.unwrapped.draw.motion == STILL
    env.reset(seed=0)
    assert env.unwrapped.draw.body != BODY


def test_ideal_sensing_has_no_errors():
    env = gym.make("SquatSensor-v0", sensing="ideal", body=BODY, motion=STILL)
    env.reset(seed=0)
    assert env.unwrapped.draw.devices == squat_env_devices()
    env.close()


def squat_env_devices():
    from squat_env.devices import Devices

    return Devices()


@pytest.mark.parametrize("action", [np.full(29, np.nan, np.float32), np.zeros(28, np.float32)], ids=["nan", "shape"])
def test_bad_actions_are_refused_and_the_env_goes_on(env, action):
    env.reset(seed=0)
    with pytest.raises(ValueError, match="expected"):
        env.unwrapped.step(action)
    observation = env.step(ZERO)[0]
    assert all(np.isfinite(value).all() for value in observation.values())


@pytest.mark.parametrize(
    "arguments",
    [{"control_hz": 33}, {"reps": 0}, {"sensing": "perfect"}, {"render_mode": "human"}, {"device_level": -1.0}],
    ids=lambda arguments: next(iter(arguments)),
)
def test_bad_arguments_are_refused(arguments):
    from squat_env.env import SquatSensorEnv

    with pytest.raises(ValueError, match="expected"):
        SquatSensorEnv(**arguments)


def test_unknown_options_are_refused(env):
    with pytest.raises(ValueError, match="weather"):
        env.reset(seed=0, options={"weather": 1})


def test_wild_actions_end_in_a_fall_or_stay_finite(env):
    rng = np.random.default_rng(0)
    env.reset(seed=2)
    for _ in range(200):
        observation, reward, terminated, truncated, _ = env.step(rng.choice([-1.0, 1.0], 29).astype(np.float32))
        assert np.isfinite(reward)
        assert observation in env.observation_space
        if terminated or truncated:
            break


def test_it_works_flattened_and_in_a_vector():
    flat = gym.wrappers.FlattenObservation(gym.make("SquatSensor-v0"))
    assert flat.reset(seed=0)[0].shape == (14,)
    flat.close()
    vector = gym.make_vec("SquatSensor-v0", num_envs=2, vectorization_mode="sync")
    observations, _ = vector.reset(seed=0)
    assert observations["watch_accel"].shape == (2, 3)
    vector.step(np.zeros((2, 29), np.float32))
    vector.close()


def test_a_set_of_two_repetitions():
    env = gym.make("SquatSensor-v0", reps=2)
    _, _, infos, fell = episode(env, 4)
    assert not fell
    assert {info["repetition"] for info in infos} == {0, 1}
    env.close()
