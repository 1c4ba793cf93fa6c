"""`gymnasium.make_vec("SquatSensor-v0")`: several wearers at once on MuJoCo's own threads."""

import copy
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from squat_env.env import Camera, checked_render_mode, residuals
from squat_env.episode import Episode, Truth, next_seed
from squat_env.info import Info
from squat_env.instruments import Panels, tame
from squat_env.kernels import square_lanes
from squat_env.stepping import Lanes, with_rows
from squat_env.task import JOINTS, Task, action_space, columns, observation_space


class SquatSensorVectorEnv(gym.vector.VectorEnv):
    """Several `SquatSensorEnv` in one: lane i does, bit for bit, what the single environment does with its seed.

    Spaces, rewards and `info` are those of `SquatSensorEnv`, batched as Gymnasium's vector environments do it; `info`
    is worked out when it is read here too. The physics of all lanes is stepped in one native call (in one a stretch
    where an exercise is fed back), and their units are read in one compiled one.

    Attributes:
        task: The arguments, the same for every lane.
        episodes: The set that goes on in each lane.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 20}

    def __init__(
        self,
        num_envs: int = 1,
        *,
        threads: int = 0,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **arguments: Any,
    ):
        """See `squat_env.task.Task` for the other arguments.

        Args:
            num_envs: Lanes.
            threads: On which the physics runs, the calling one included; 0 is one a processor.
            autoreset_mode: What happens to a lane whose set is over: "NextStep" resets it in the step after, "SameStep"
                at once, "Disabled" waits for `reset(options={"reset_mask": ...})`.
            render_mode: None or "rgb_array".
            arguments: Of `Task`.

        Raises:
            ValueError: An argument is outside what it may be.
            TypeError: There is no such argument.
        """
        if num_envs < 1 or threads < 0:
            raise ValueError(f"num_envs and threads are {num_envs} and {threads}, expected at least 1 and 0")
        self.num_envs, self._threads = num_envs, threads
        self.task, self.render_mode = Task(**arguments), checked_render_mode(render_mode)
        self._mode = AutoresetMode(autoreset_mode)
        self.metadata = self.metadata | {"render_fps": int(self.task.control_hz), "autoreset_mode": self._mode}
        self.single_observation_space, self.single_action_space = observation_space(self.task), action_space()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._columns = columns(self.task)
        self._rows = np.zeros((num_envs, max(part.stop for part in self._columns.values())), np.float32)
        self._generators: list[np.random.Generator | None] = [None] * num_envs
        self._seeds: list[int] = [-1] * num_envs
        self._lanes: dict[int, Lanes] = {}  # by the layout of the models in them, of which there is mostly one
        self._layouts = [0] * num_envs
        self._panels, self._planned = Panels(num_envs), np.empty((num_envs, 0, JOINTS))
        self._planner = Planner(self.task) if threads != 1 else None
        self._done = np.ones(num_envs, bool)
        self._cameras = [Camera() for _ in range(num_envs)]
        self.episodes: list[Episode] = []

    @property
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """Each lane's generator."""
        return tuple(self._generator(lane) for lane in range(self.num_envs))

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """Each lane's seed."""
        return tuple(self._seed_of(lane) for lane in range(self.num_envs))

    def reset(self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None):  # type: ignore[override]
        """Draws and plans new sets.

        Args:
            seed: Of the lanes: one for each, or i + this of lane i, or None to go on with their random numbers.
            options: May fix "body", "placement" and "motion" of all lanes; "reset_mask" (N,) bool says which to reset.

        Raises:
            ValueError: An unknown option, or a fixed value that is physically impossible; the sets that are going on
                go on.
        """
        options = dict(options or {})
        lanes = self._masked(options.pop("reset_mask", None))
        for lane, value in zip(range(self.num_envs), self._spread(seed), strict=True):
            if value is not None and lane in lanes:
                self._generators[lane], self._seeds[lane] = seeding.np_random(value)
        self._begin({lane: self._plan(lane, options) for lane in lanes})
        return self._observations(), self._infos({lane: self.episodes[lane].info() for lane in lanes})

    def step(self, actions: np.ndarray):
        """Goes one control step on in every lane; in "NextStep" mode lanes whose set was over are reset instead.

        Raises:
            ValueError: An action is not finite or has the wrong shape; nothing has moved.
            gymnasium.error.ResetNeeded: There are no sets yet, or one is over in "Disabled" mode.
        """
        if not self.episodes or (self._done.any() and self._mode == AutoresetMode.DISABLED):
            raise gym.error.ResetNeeded(f"sets {np.flatnonzero(self._done)} are over, expected reset() before this")
        residual = residuals(actions, (self.num_envs, JOINTS))
        over, going = self._done.nonzero()[0].tolist(), (~self._done).nonzero()[0].tolist()
        infos, rewards = self._advance(going, residual)
        terminations = np.array([episode.fallen for episode in self.episodes])
        truncations = np.array([episode.over for episode in self.episodes])
        terminations[over] = truncations[over] = False
        ended, known = terminations | truncations, {}
        if self._mode == AutoresetMode.SAME_STEP:
            over = np.flatnonzero(ended).tolist()
            for lane in over:
                known = self._add_info(known, {"final_obs": self._seen(lane), "final_info": infos[lane]}, lane)
        self._begin({lane: self._plan(lane, {}) for lane in over})
        infos |= {lane: self.episodes[lane].info() for lane in over}
        self._done = ended if self._mode != AutoresetMode.SAME_STEP else self._done
        return self._observations(), rewards, terminations, truncations, self._infos(infos, known)

    def _advance(self, lanes: list[int], residual: np.ndarray) -> tuple[dict[int, Info], np.ndarray]:
        """Steps some lanes; their infos and all rewards (N,), 0 where nothing moved."""
        infos, rewards = {}, np.zeros(self.num_envs)
        for layout, physics in self._lanes.items():
            alike = [lane for lane in lanes if self._layouts[lane] == layout]
            if alike:
                self._advance_alike(physics, alike, residual[alike], infos, rewards)
        self._plan_ahead(lanes)
        return infos, rewards

    def _advance_alike(
        self, physics: Lanes, lanes: list[int], residual: np.ndarray, infos: dict[int, Info], rewards: np.ndarray
    ) -> None:
        """Steps lanes of one layout, and puts down their infos and rewards; `residual` is (L, 29)."""
        readings = physics.advance(lanes, self.task.ticks, residual)
        numbers = np.array(lanes)
        qpos, qvel, warned = physics.qpos[numbers], physics.qvel[numbers], physics.warned[numbers].tolist()
        going = [self.episodes[lane] for lane in lanes]
        for row, episode in enumerate(going):
            episode.move(qpos[row], qvel[row], warned[row])
            if episode.fallen:
                readings[row], qpos[row] = tame(readings[row]), episode.qpos
        steps = np.array([episode.step for episode in going])
        self._panels.read(numbers, steps, readings, self._rows)
        squares = square_lanes(numbers, steps, qpos, self._planned, residual).tolist()
        for lane, episode, (missed, added) in zip(lanes, going, squares, strict=True):
            terms = episode.settle(self._rows[lane], missed, added)
            rewards[lane], infos[lane] = sum(terms.values()), episode.info(reward_terms=terms)

    def _plan_ahead(self, lanes: list[int]) -> None:
        """Begins to plan the next sets of lanes that are half through."""
        for lane in lanes:
            if self._planner is not None and self.episodes[lane].step == self.episodes[lane].last_step // 2:
                self._planner.expect(lane, next_seed(copy.deepcopy(self._generator(lane))))

    def _plan(self, lane: int, options: Mapping[str, Any]) -> Episode:
        """A lane's next set, which may have been planned meanwhile."""
        seed = next_seed(self._generator(lane))
        ahead = self._planner.take(lane, seed) if self._planner is not None and not options else None
        return ahead or Episode(self.task, seed, options)

    def _begin(self, episodes: Mapping[int, Episode]) -> None:
        """Puts new sets into their lanes."""
        if not self.episodes:
            self.episodes = [episodes[lane] for lane in range(self.num_envs)]
        for lane, episode in episodes.items():
            self.episodes[lane], self._done[lane] = episode, False
            episode.begin(self._rows[lane])
            self._physics_of(lane, episode).put(lane, episode.model, episode.controller, episode.start)
            self._panels.put(lane, episode.panel)
            self._planned = with_rows(self._planned, lane, episode.planned)

    def _physics_of(self, lane: int, episode: Episode) -> Lanes:
        """The lanes that models of this layout fit into: heels that rise, for one, take other sensors."""
        layout = self._layouts[lane] = episode.model.nsensordata
        if layout not in self._lanes:
            self._lanes[layout] = Lanes(episode.model, self.num_envs, threads=self._threads)
        return self._lanes[layout]

    def render(self) -> tuple[np.ndarray, ...] | None:
        """An image (480, 480, 3) of each lane's wearer, None without a render mode."""
        if self.render_mode is None:
            return None
        return tuple(camera.shoot(episode) for camera, episode in zip(self._cameras, self.episodes, strict=True))

    def close_extras(self, **_: Any) -> None:
        """Frees the renderers and the threads."""
        self._lanes = {}
        if self._planner is not None:
            self._planner.close()
        for camera in self._cameras:
            camera.close()

    def _observations(self) -> dict[str, np.ndarray]:
        rows = self._rows.copy()
        return {name: rows[:, part] for name, part in self._columns.items()}

    def _seen(self, lane: int) -> dict[str, np.ndarray]:
        """What one lane's agent sees."""
        row = self._rows[lane].copy()
        return {name: row[part] for name, part in self._columns.items()}

    def _infos(self, infos: Mapping[int, Info], known: Mapping[str, Any] | None = None) -> Info:
        return Info(known or {}, _Batched(self._add_info, infos))

    def _generator(self, lane: int) -> np.random.Generator:
        generator = self._generators[lane]
        if generator is None:
            generator, self._seeds[lane] = seeding.np_random()
            self._generators[lane] = generator
        return generator

    def _seed_of(self, lane: int) -> int:
        self._generator(lane)
        return self._seeds[lane]

    def _spread(self, seed: int | Sequence[int | None] | None) -> Sequence[int | None]:
        """A seed for each lane."""
        if seed is None or isinstance(seed, int | np.integer):
            return [None if seed is None else int(seed) + lane for lane in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise ValueError(f"seed has {len(seed)} values, expected one for each of {self.num_envs} lanes")
        return seed

    def _masked(self, mask: np.ndarray | None) -> list[int]:
        """The lanes to reset."""
        if mask is None:
            return list(range(self.num_envs))
        if not isinstance(mask, np.ndarray) or mask.dtype != bool or mask.shape != (self.num_envs,) or not mask.any():
            raise ValueError(f"reset_mask is {mask!r}, expected a bool array ({self.num_envs},) that is True somewhere")
        if not self.episodes and not mask.all():
            raise gym.error.ResetNeeded("reset_mask leaves out lanes that have no set yet, expected reset() of all")
        return np.flatnonzero(mask).tolist()


class Planner:
    """Plans sets that will be needed, in a thread of its own while the physics runs."""

    def __init__(self, task: Task):
        self._task, self._pool = task, ThreadPoolExecutor(1, thread_name_prefix="squat-planner")
        self._plans: dict[int, tuple[int, Future[Episode]]] = {}

    def expect(self, lane: int, seed: int) -> None:
        """Begins to plan the set of a lane that this seed will ask for."""
        self._drop(lane)
        self._plans[lane] = seed, self._pool.submit(Episode, self._task, seed, {})

    def take(self, lane: int, seed: int) -> Episode | None:
        """The set of this seed; None where another one or none was expected."""
        planned, future = self._plans.get(lane, (None, None))
        if future is None or planned != seed:
            self._drop(lane)
            return None
        del self._plans[lane]
        return future.result()

    def _drop(self, lane: int) -> None:
        if lane in self._plans:
            self._plans.pop(lane)[1].cancel()

    def close(self) -> None:
        """Ends the thread."""
        self._pool.shutdown(cancel_futures=True)


_NAMES = tuple(f"{mask}{name}" for name in (*Truth.names, "reward_terms") for mask in ("", "_"))


class _Batched:
    """The lanes' infos as one, in Gymnasium's form: arrays over the lanes, and a mask `_name` for each `name`."""

    def __init__(self, add: Any, infos: Mapping[int, Info]):
        self._add, self._infos, self._all = add, infos, None
        self.names = _NAMES if any(dict.__contains__(info, "reward_terms") for info in infos.values()) else _NAMES[:-2]

    def read(self, name: str) -> Any:
        """One of `names`."""
        if self._all is None:
            self._all = {}
            for lane, info in self._infos.items():
                self._all = self._add(self._all, info, lane)
        return self._all[name]
