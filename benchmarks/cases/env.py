"""What the environment costs over the physics in it.

Raw is `mujoco.rollout`, the fastest native stepping there is: a whole set in one call with the same controls and memory
allotted before, on one thread. Times are CPU times of the thread, each the least of several taken in turns; the ones on
two threads are wall times, 10th percentiles of single steps taken in turns, and raw too has its figure there. No
environment in Python can be below one native call a step.
"""

import time
from collections.abc import Callable

import numpy as np

ROUNDS = 9
ACTION = 0.05  # standard deviation of what a policy adds
LANES = (8, 32)


def measure(sets: int) -> dict[str, float]:
    """Steps, resets and whole repetitions of `sets` sets over raw stepping, Gymnasium's Humanoid-v5, and lanes."""
    figures: dict[str, float] = {}
    for rate in (20, 100):
        figures |= _single(sets, rate)
    figures["humanoid_v5_step_over_raw"] = _humanoid()
    for rate in (20, 100):
        for lanes in LANES:
            figures |= _lanes(rate, lanes)
    return figures


def _single(sets: int, rate: int) -> dict[str, float]:
    """What the parts of `sets` one-repetition sets take, over their raw physics; `tight` are those without a swing."""
    import gymnasium as gym

    import squat_env  # noqa: F401

    env = gym.make("SquatSensor-v0", control_hz=rate)
    names = ("raw", "calls", "reset", "plan", "steps", "tight_raw", "tight_steps")
    total: dict[str, float] = dict.fromkeys(names, 0.0)
    for seed in range(sets):
        actions = _actions(env, seed)
        tight = not _loose(env.unwrapped.episode)
        least = _in_turns(
            {
                "raw": _raw(env.unwrapped.episode, actions),
                "calls": _raw(env.unwrapped.episode, actions, calls=len(actions)),
                "reset": lambda seed=seed: _timed(lambda: env.reset(seed=seed)),
                "plan": _planning(env.unwrapped.episode, seed),
                "steps": lambda seed=seed, actions=actions: _steps(env, seed, actions),
            }
        )
        least |= {"tight_raw": tight * least["raw"], "tight_steps": tight * least["steps"]}
        total = {name: total[name] + least[name] for name in total}
    figures = {
        "one_native_call_a_step_over_raw": total["calls"] / total["raw"],
        "step_over_raw": total["steps"] / total["raw"],
        "step_over_raw_tight_devices": total["tight_steps"] / total["tight_raw"] if total["tight_raw"] else np.nan,
        "reset_over_raw": total["reset"] / total["raw"],
        "of_it_draw_build_plan": total["plan"] / total["raw"],
        "repetition_over_raw": (total["reset"] + total["steps"]) / total["raw"],
    }
    return {f"{name}_{rate}hz": value for name, value in figures.items()}


def _loose(episode) -> bool:
    worn = episode.draw.placement
    return worn.phone.looseness.play_deg > 0 or worn.watch.looseness.play_deg > 0


def _in_turns(cases: dict[str, Callable[[], float]]) -> dict[str, float]:
    rounds = [{name: case() for name, case in cases.items()} for _ in range(ROUNDS)]
    return {name: min(row[name] for row in rounds) for name in cases}


def _timed(call: Callable[[], object]) -> float:
    start = time.thread_time()
    call()
    return time.thread_time() - start


def _actions(env, seed: int) -> np.ndarray:
    """Small random actions for one whole set."""
    env.reset(seed=seed)
    shape = (env.unwrapped.episode.last_step, *env.action_space.shape)
    return np.random.default_rng(seed).normal(0.0, ACTION, shape).clip(-1.0, 1.0).astype(np.float32)


def _steps(env, seed: int, actions: np.ndarray) -> float:
    env.reset(seed=seed)

    def steps() -> None:
        for action in actions:
            env.step(action)

    return _timed(steps)


def _planning(episode, seed: int) -> Callable[[], float]:
    """The share of a reset that is `population.prepare`."""
    from gymnasium.utils import seeding

    from squat_env.episode import next_seed
    from squat_env.population import Seeds, prepare

    drawn_from, seeds = episode.task.drawn_from, Seeds(seed=next_seed(seeding.np_random(seed)[0]), index=0)
    return lambda: _timed(lambda: prepare(drawn_from, seeds))


def _raw(episode, actions: np.ndarray, calls: int = 1) -> Callable[[], float]:
    """The physics of `episode` alone, in so many native calls."""
    from squat_env.reference import controls
    from squat_env.simulate import initial_state
    from squat_env.task import RESIDUAL_RAD

    ticks = episode.task.ticks
    state, data = initial_state(episode.model, episode.reference)
    control = controls(episode.model, episode.reference)[: ticks * len(actions)]
    control = control + RESIDUAL_RAD * np.repeat(actions, ticks, axis=0)
    return _rollout(episode.model, data, state, np.split(control[None], calls, axis=1))


def _rollout(model, data, state: np.ndarray, controls: list[np.ndarray]) -> Callable[[], float]:
    """Native stepping from a state, each of `controls` (1, n, nu) in one call."""
    from mujoco import rollout

    native, models, datas, count = rollout.Rollout(nthread=0), [model], [data], controls[0].shape[1]
    start, states = data.qacc_warmstart.copy(), np.empty((1, count, len(state)))
    options = {"skip_checks": True, "nstep": count, "sensordata": np.empty((1, count, model.nsensordata))}

    def run() -> None:
        states[0, -1], data.qacc_warmstart[:] = state, start
        warmstart, last = data.qacc_warmstart[None], states[:, -1]
        for control in controls:
            native.rollout(models, datas, last, control, initial_warmstart=warmstart, state=states, **options)

    return lambda: _timed(run)


def _humanoid(steps: int = 200) -> float:
    """Gymnasium's own humanoid, measured the same way; NaN where Gymnasium's MuJoCo extra is missing."""
    import gymnasium as gym
    import mujoco

    try:
        env = gym.make("Humanoid-v5", terminate_when_unhealthy=False)
    except ImportError:
        return np.nan
    env.reset(seed=0)
    inner = env.unwrapped
    actions = np.random.default_rng(0).uniform(-0.4, 0.4, (steps, *env.action_space.shape)).astype(np.float32)
    kind = mujoco.mjtState.mjSTATE_FULLPHYSICS
    state = np.empty(mujoco.mj_stateSize(inner.model, kind))
    mujoco.mj_getState(inner.model, inner.data, state, kind)
    control = np.repeat(actions, inner.frame_skip, axis=0).astype(float)
    data = mujoco.MjData(inner.model)
    least = _in_turns(
        {
            "raw": _rollout(inner.model, data, state, [control[None]]),
            "steps": lambda: _steps(env, 0, actions),
        }
    )
    return least["steps"] / least["raw"]


def _lanes(rate: int, lanes: int) -> dict[str, float]:
    """How much faster lanes go on two threads than on one, with what the machine makes of raw stepping beside it.

    A second of steps is done in a row, as whoever learns does them; one thread and two take turns.
    """
    import gymnasium as gym

    made = {
        threads: gym.make_vec("SquatSensor-v0", num_envs=lanes, threads=threads, control_hz=rate) for threads in (1, 2)
    }
    raw = {threads: _raw_lanes(env, threads) for threads, env in made.items()}
    actions = np.zeros(made[1].action_space.shape, np.float32)
    took: dict[tuple[str, int], list[float]] = {(name, threads): [] for name in ("env", "raw") for threads in made}
    for _ in range(ROUNDS):
        for threads, env in made.items():
            env.reset(seed=0)
            for name, call in (("env", lambda env=env: env.step(actions)), ("raw", raw[threads])):
                for _ in range(rate):
                    start = time.perf_counter()
                    call()
                    took[name, threads].append(time.perf_counter() - start)
    fast = {key: float(np.percentile(values, 10)) for key, values in took.items()}
    return {
        f"{name}_2_threads_speedup_{lanes}_lanes_{rate}hz": fast[name, 1] / fast[name, 2] for name in ("env", "raw")
    }


def _raw_lanes(env, threads: int) -> Callable[[], object]:
    """The first step of all lanes, again and again."""
    from mujoco import batch

    from squat_env.reference import controls

    env.reset(seed=0)
    episodes = env.unwrapped.episodes
    native = batch.Batch(episodes[0].model, len(episodes), threads)
    native.set_models([episode.model for episode in episodes])
    ticks, start = env.unwrapped.task.ticks, np.array([episode.start.state for episode in episodes])
    control = np.array([controls(episode.model, episode.reference)[:ticks] for episode in episodes])
    out = {"sensordata": np.empty((len(episodes), ticks, episodes[0].model.nsensordata))}

    def run() -> None:
        native.state[:] = start
        native.rollout(ticks, control, record=("sensordata",), out=out)

    return run
