"""`SquatSensor-v0` as Gymnasium's users meet it."""

import copy
import hashlib
import pickle
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from wearers import BODY, STILL, mounted

import squat_env  # noqa: F401
from squat_env.devices import Devices
from squat_env.env import SquatSensorEnv
from squat_env.exercises import EXERCISES
from squat_env.motion import Cycle, Motion
from squat_env.placement import Mounting
from squat_env.sensors import observe_scene
from squat_env.simulate import simulate
from squat_env.wearables import DEVICES

ZERO = np.zeros(29, np.float32)
INFO = {
    *("phase", "phase4", "repetition", "progress", "joint_angles", "landmarks"),
    *("range_true", "line_of_sight", "body_thickness", "faults"),
}


@pytest.fixture
def env():
    made = gym.make("SquatSensor-v0")
    yield made
    made.close()


def episode(env, seed, action=ZERO):
    """Observations (one more than steps), rewards, infos, and whether the wearer fell."""
    observation, info = env.reset(seed=seed)
    observations, rewards, infos = [observation], [], [info]
    while True:
        observation, reward, terminated, truncated, info = env.step(action)
        observations.append(observation)
        rewards.append(reward)
        infos.append(info)
        if terminated or truncated:
            return observations, rewards, infos, terminated


def digest(seed=5, **arguments):
    """Of everything that an episode shows and pays."""
    env = gym.make("SquatSensor-v0", **arguments)
    observations, rewards, infos, _ = episode(env, seed, np.full(29, 0.05, np.float32))
    found = hashlib.sha256(np.array(rewards).tobytes())
    for observation, info in zip(observations, infos, strict=True):
        found.update(b"".join(observation[name].tobytes() for name in sorted(observation)))
        found.update(np.hstack([info["landmarks"].ravel(), info["body_thickness"], info["range_true"]]).tobytes())
    env.close()
    return found.hexdigest()


def identical(one, other):
    """Two observations are the same bits."""
    return set(one) == set(other) and all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("name", ["SquatSensor-v0", "squat_env:SquatSensor-v0"])
@pytest.mark.parametrize("arguments", [{}, {"proprioception": True, "control_hz": 80, "exercise": "lunge"}], ids=str)
def test_it_is_what_gymnasium_expects(name, arguments):
    env = gym.make(name, **arguments)
    check_env(env.unwrapped, skip_render_check=True)
    env.close()


@pytest.mark.parametrize("exercise", EXERCISES)
def test_doing_nothing_does_the_exercise(exercise):
    env = gym.make("SquatSensor-v0", exercise=exercise, proprioception=True)
    observations, rewards, infos, fell = episode(env, 3)
    assert not fell
    assert {info["phase4"] for info in infos} >= {1, 3}
    assert np.mean(rewards) > 1.8
    for observation in observations:
        assert observation in env.observation_space
        assert all(np.isfinite(value).all() for value in observation.values())
    varied = {name: np.ptp([o[name] for o in observations], axis=0) for name in observations[0]}
    assert all((spread > 0).all() for spread in varied.values()), varied
    progress = [info["progress"] for info in infos]
    assert progress == sorted(progress)
    assert (progress[0], progress[-1] > 0.97) == (0.0, True)
    env.close()


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_same_seed_gives_the_same_episode_also_after_a_dirty_one(exercise):
    env = gym.make("SquatSensor-v0", exercise=exercise)
    first = episode(env, 5)
    env.reset(seed=9)
    for _ in range(5):
        env.step(np.ones(29, np.float32))
    second = episode(env, 5)
    assert len(first[0]) == len(second[0])
    assert all(identical(one, other) for one, other in zip(first[0], second[0], strict=True))
    assert first[1] == second[1]
    env.close()


@pytest.mark.parametrize("arguments", [{}, {"exercise": "knee_up", "control_hz": 40}], ids=str)
def test_the_same_seed_gives_the_same_episode_in_another_process(arguments):
    code = f"from test_env import digest; print(digest(**{arguments!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parent
    )
    assert done.stdout.strip() == digest(**arguments)
    assert digest(seed=6, **arguments) != digest(**arguments)


def test_the_reward_is_the_sum_of_its_terms(env):
    _, rewards, infos, _ = episode(env, 1, np.full(29, 0.3, np.float32))
    for reward, info in zip(rewards, infos[1:], strict=True):
        assert reward == sum(info["reward_terms"].values())
        assert info["reward_terms"]["effort"] == pytest.approx(-0.1 * 0.3**2)
    assert {tuple(info["reward_terms"]) for info in infos[1:]} == {("upright", "tracking", "effort")}


def test_info_is_what_is_true_of_the_wearer(env):
    _, _, infos, _ = episode(env, 4)
    assert {tuple(sorted(set(info) - {"reward_terms"})) for info in infos} == {tuple(sorted(INFO))}
    env.reset(seed=4)
    for now, info in enumerate(infos):
        wearer = env.unwrapped.episode
        scene = observe_scene(wearer.model, wearer.qpos[None])
        assert np.array_equal(info["landmarks"], scene.landmarks[0])
        assert info["body_thickness"] == scene.thickness[0]
        assert info["line_of_sight"] == scene.line_of_sight[0]
        assert info["range_true"] == scene.distance[0]
        assert info["phase4"] == wearer.reference.phase4[20 * now]
        if now < len(infos) - 1:
            env.step(ZERO)
    assert {info["phase"] for info in infos} == {0, 1}


@pytest.mark.parametrize("exercise", ["squat", "lunge"])
@pytest.mark.parametrize("control_hz", [20, 100, 80])
def test_readings_belong_to_the_states_that_the_docstring_says(exercise, control_hz):
    env = gym.make("SquatSensor-v0", exercise=exercise, sensing="ideal", control_hz=control_hz, placement=mounted())
    observations, _, infos, _ = episode(env, 2)
    wearer, ticks = env.unwrapped.episode, 400 // control_hz
    done = simulate(wearer.model, wearer.reference)
    assert len(observations) - 1 == (len(done.time) - 1) // ticks
    for device in DEVICES:
        for kind in ("accel", "gyro"):
            columns = slice(start := wearer.model.sensor(f"{device}_{kind}").adr[0], start + 3)
            for step, observation in enumerate(observations[1:]):
                mean = done.sensors[step * ticks : (step + 1) * ticks, columns].mean(0)
                assert np.allclose(observation[f"{device}_{kind}"], mean, atol=1e-5), (device, kind, step)
    scene = observe_scene(wearer.model, done.qpos[::ticks])
    read = [step for step, observation in enumerate(observations) if observation["range_valid"]]
    assert read == list(range(0, len(observations), control_hz // 5))
    for step in read:
        assert observations[step]["range"] == np.float32(scene.distance[step]), step
        assert infos[step]["range_true"] == scene.distance[step], step
    env.close()


def test_observations_share_no_memory(env):
    env.reset(seed=0)
    one = env.step(ZERO)[0]
    kept = {name: value.copy() for name, value in one.items()}
    other = env.step(ZERO)[0]
    assert identical(one, kept)
    assert not any(np.shares_memory(one[name], other[name]) for name in one)


def test_draws_can_be_fixed(env):
    env.reset(seed=0, options={"body": BODY, "motion": STILL, "placement": mounted()})
    draw = env.unwrapped.episode.draw
    assert (draw.body, draw.motion, draw.placement) == (BODY, STILL, mounted())
    env.reset(seed=0)
    assert env.unwrapped.episode.draw.body != BODY


def test_info_tells_the_severity_that_was_asked_for():
    env = gym.make("SquatSensor-v0", faults={"knee_valgus": 0.6, "heel_rise": 0.0})
    faults = env.reset(seed=1)[1]["faults"]
    assert faults["knee_valgus"] == pytest.approx(0.6)
    assert faults["heel_rise"] == 0.0
    assert all(0.0 <= severity <= 1.0 for severity in faults.values())
    env.close()


def test_ideal_sensing_has_no_errors():
    env = gym.make("SquatSensor-v0", sensing="ideal", body=BODY, motion=STILL)
    env.reset(seed=0)
    assert env.unwrapped.episode.draw.devices == Devices()
    env.close()


@pytest.mark.parametrize(
    "action",
    [np.full(29, np.nan), np.r_[np.zeros(28), np.inf], np.r_[np.zeros(28), -np.inf], np.zeros(28)],
    ids=["nan", "inf", "-inf", "shape"],
)
def test_bad_actions_are_refused_and_the_env_goes_on(env, action):
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"action has .* expected"):
        env.unwrapped.step(action.astype(np.float32))
    observation = env.step(ZERO)[0]
    env.reset(seed=0)
    assert identical(observation, env.step(ZERO)[0])


def test_actions_are_cut_at_their_bounds(env):
    env.reset(seed=0)
    one = env.unwrapped.step(np.linspace(-3.0, 3.0, 29))
    env.reset(seed=0)
    other = env.unwrapped.step(np.linspace(-3.0, 3.0, 29).clip(-1.0, 1.0))
    assert identical(one[0], other[0])
    assert one[1] == other[1]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"control_hz": 33}, "control_hz is 33"),
        ({"control_hz": 400}, "control_hz is 400"),
        ({"range_hz": 0.0}, "range_hz is 0.0"),
        ({"range_hz": float("nan")}, "range_hz is nan"),
        ({"reps": 0}, "reps is 0"),
        ({"sensing": "perfect"}, "sensing is 'perfect'"),
        ({"render_mode": "human"}, "render_mode is 'human'"),
        ({"device_level": -1.0}, "device_level is -1.0"),
        ({"exercise": "handstand"}, "exercise is 'handstand'"),
        ({"faults": {"shallow": 2.0}}, "fault shallow is 2.0"),
        ({"faults": {"hiccup": 0.5}}, "a fault of squat is 'hiccup'"),
        ({"body": "tall"}, "body is 'tall'"),
        ({"exercise": "lunge", "motion": Motion()}, "motion.exercise is 'squat'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_absurd_arguments_are_refused(arguments, error):
    with pytest.raises(ValueError, match=f"{error}, expected"):
        SquatSensorEnv(**arguments)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (lambda: {"body": type(BODY)(height_m=5.0)}, "height_m is 5.0"),
        (
            lambda: {"placement": mounted(phone=Mounting(spot="chest", side="left", along=0.5, azimuth_deg=0.0))},
            "chest",
        ),
        (
            lambda: {
                "placement": mounted(phone=Mounting(spot="front_pocket", side="left", along=0.0, azimuth_deg=-90.0))
            },
            "the phone is inside the body",
        ),
        (lambda: {"motion": Motion(cycles=(Cycle(descent_s=0.1),))}, "0.1"),
        (lambda: {"motion": Motion(cycles=(Cycle(descent_s=0.31),))}, "expected at most"),
        (lambda: {"weather": 1}, "options is .*weather"),
        (lambda: {"body": 1.8}, "body is 1.8"),
        (lambda: {"motion": Motion(exercise="lunge")}, "motion.exercise is 'lunge'"),
    ],
    ids=["height", "spot", "inside", "tempo", "haste", "unknown", "kind", "exercise"],
)
def test_absurd_options_are_refused_and_the_set_goes_on(env, options, error):
    env.reset(seed=0)
    before = env.unwrapped.episode
    with pytest.raises(ValueError, match=error):
        env.reset(options=options())
    assert env.unwrapped.episode is before
    assert all(np.isfinite(value).all() for value in env.step(ZERO)[0].values())
    env.reset(seed=1)
    env.step(ZERO)


def test_wild_actions_end_in_a_fall_and_stay_finite(env):
    rng = np.random.default_rng(0)
    env.reset(seed=2)
    for _ in range(400):
        observation, reward, terminated, truncated, info = env.step(rng.choice([-1.0, 1.0], 29).astype(np.float32))
        assert np.isfinite(reward)
        assert observation in env.observation_space
        if terminated or truncated:
            break
    assert terminated
    assert info["reward_terms"]["upright"] == 0.0


def test_a_physics_that_breaks_ends_the_set_without_a_nan(env, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its log there
    env.reset(seed=0)
    env.step(ZERO)
    env.unwrapped.episode.stepper.qvel[:] = 1e15
    observation, reward, terminated, truncated, info = env.step(ZERO)
    assert (terminated, truncated) == (True, False)
    assert np.isfinite(reward)
    assert observation in env.observation_space
    assert all(np.isfinite(value).all() for value in info.values() if not isinstance(value, dict))
    assert not episode(env, 0)[3]


def test_a_set_that_is_over_must_be_reset(env):
    episode(env, 0)
    with pytest.raises(gym.error.ResetNeeded, match="over"):
        env.step(ZERO)
    with pytest.raises(gym.error.ResetNeeded, match="no set"):
        SquatSensorEnv().step(ZERO)


def test_a_set_of_two_repetitions():
    env = gym.make("SquatSensor-v0", reps=2)
    _, _, infos, fell = episode(env, 4)
    assert not fell
    assert {info["repetition"] for info in infos} == {0, 1}
    env.close()


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))], ids=["copy", "pickle"])
@pytest.mark.parametrize("exercise", ["squat", "lunge"])
def test_a_clone_goes_on_with_the_same_bits(exercise, clone):
    env = gym.make("SquatSensor-v0", exercise=exercise, proprioception=True, control_hz=80)
    env.reset(seed=8)
    for _ in range(31):
        env.step(np.full(29, 0.1, np.float32))
    other = clone(env)
    for _ in range(60):
        mine, theirs = env.step(ZERO), other.step(ZERO)
        assert identical(mine[0], theirs[0])
        assert mine[1] == theirs[1]
        assert np.array_equal(mine[4]["landmarks"], theirs[4]["landmarks"])
    assert identical(env.reset()[0], other.reset()[0])
    env.close()


def test_a_pickled_spec_makes_the_same_environment():
    env = gym.make("SquatSensor-v0", control_hz=40, body=BODY)
    other = gym.make(pickle.loads(pickle.dumps(env.spec)))
    assert other.unwrapped.task == env.unwrapped.task
    assert identical(env.reset(seed=1)[0], other.reset(seed=1)[0])


def test_it_works_with_wrappers():
    env = gym.wrappers.RecordEpisodeStatistics(gym.wrappers.FlattenObservation(gym.make("SquatSensor-v0")))
    observations, rewards, infos, _ = episode(env, 0)
    assert {observation.shape for observation in observations} == {(14,)}
    assert infos[-1]["episode"]["r"] == pytest.approx(sum(rewards))
    assert set(infos[-1]) >= INFO
    env.close()


def test_it_can_be_filmed(tmp_path):
    try:
        mujoco.Renderer(mujoco.MjModel.from_xml_string("<mujoco/>"), 8, 8).close()
    except Exception as error:  # whatever the platform's GL raises
        pytest.skip(f"no OpenGL here (apt-get install libegl1 libgl1, MUJOCO_GL=egl): {error}")
    env = gym.make("SquatSensor-v0", render_mode="rgb_array", motion=STILL)
    check_env(env.unwrapped, skip_render_check=False)
    env = gym.wrappers.RecordVideo(env, str(tmp_path / "videos"), disable_logger=True)
    episode(env, 0)
    assert env.render_mode == "rgb_array"
    env.close()
    assert [path.suffix for path in (tmp_path / "videos").iterdir()] == [".mp4"]


@pytest.mark.slow
def test_stable_baselines_trains_on_it():
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_checker import check_env as check
    from stable_baselines3.common.vec_env import DummyVecEnv

    check(gym.make("SquatSensor-v0"))
    env = DummyVecEnv([lambda: gym.make("SquatSensor-v0", proprioception=True)] * 2)
    agent = PPO("MultiInputPolicy", env, n_steps=64, batch_size=64, n_epochs=2, seed=0, device="cpu")
    before = [value.clone() for value in agent.policy.parameters()]
    agent.learn(256)
    assert any((one != other).any() for one, other in zip(before, agent.policy.parameters(), strict=True))
    action, _ = agent.predict(env.reset(), deterministic=True)
    assert action.shape == (2, 29)
    env.close()
