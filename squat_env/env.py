"""`SquatSensor-v0`: a humanoid does an exercise and is measured by a phone and a watch."""

from typing import Any, ClassVar

import gymnasium as gym
import mujoco
import numpy as np

from squat_env.episode import Episode, next_seed
from squat_env.render import WearerRenderer, stand
from squat_env.task import JOINTS, RESIDUAL_RAD, Task, action_space, columns, observation_space

PIXELS = 480  # width and height of a picture


class SquatSensorEnv(gym.Env):
    """A free-standing humanoid exercises under a PD controller, wearing a phone and a watch placed at random.

    Every reset draws a body, a motion, a placement and the devices' errors. One episode is one set, standing to
    standing, under physics throughout; what people do around their sets (`squat_env.surroundings`) is in datasets only.

    Action, `Box(-1, 1, (29,))`: added to the controller's joint targets, 1 = 0.2 rad, in the order of
    `squat_env.model.joint_names`. The zero action does the exercise.

    Observation, `Dict`, at the end of a step:

    | key              | shape | unit  | bounds        | meaning                                                     |
    |------------------|-------|-------|---------------|-------------------------------------------------------------|
    | `watch_accel`    | (3,)  | m/s^2 | +-8 g         | proper acceleration in the watch's frame (+9.81 up at rest) |
    | `watch_gyro`     | (3,)  | rad/s | +-2000 deg/s  | angular velocity in the watch's frame                       |
    | `phone_accel`    | (3,)  | m/s^2 | +-8 g         | the same of the phone, in its frame                         |
    | `phone_gyro`     | (3,)  | rad/s | +-2000 deg/s  |                                                             |
    | `range`          | (1,)  | m     | 0 to 5        | the last reading of the distance that came, 0 before it     |
    | `range_valid`    | (1,)  | -     | 0 or 1        | 1 where it came at the end of this step                     |
    | `joint_position` | (29,) | rad   | +-2 pi        | with `proprioception=True`, in the order of the action      |
    | `joint_velocity` | (29,) | rad/s | +-100         | with `proprioception=True`                                  |

    Which state a value belongs to: a step leads from state a to state b through n physics steps of 2.5 ms. `accel` and
    `gyro` are the mean of the readings of n states, a up to the one before b; `range`, the joints and `info` are those
    of b. At the reset all belong to the first state.

    Reward: the sum of the terms in `info["reward_terms"]`:

    | term       | range   | meaning                                                                            |
    |------------|---------|------------------------------------------------------------------------------------|
    | `upright`  | 0 or 1  | the pelvis is above half its planned height                                        |
    | `tracking` | 0 to 1  | exp(-(rms error of the joints against the plan / 0.1 rad)^2)                       |
    | `effort`   | -0.1..0 | -0.1 x mean squared action                                                         |

    `info` is worked out when it is read, value by value:

    | key              | type, shape   | unit | meaning                                                                |
    |------------------|---------------|------|------------------------------------------------------------------------|
    | `phase`          | int           | -    | 0 down, 1 upright, by pelvis or prime joint (`squat_env.labels`)       |
    | `phase4`         | int           | -    | 0 stand, 1 descent, 2 bottom, 3 ascent, as planned                     |
    | `repetition`     | int           | -    | number of the repetition, as planned                                   |
    | `progress`       | float         | -    | 0 to 1, over the set                                                   |
    | `joint_angles`   | (10,)         | deg  | in the order of `squat_env.landmarks.JOINT_ANGLES`; 180 is straight    |
    | `landmarks`      | (17, 3)       | m    | in the order of `squat_env.model.LANDMARKS`, world frame               |
    | `range_true`     | float         | m    | distance of the devices                                                |
    | `line_of_sight`  | bool          | -    | the devices see each other                                             |
    | `body_thickness` | float         | m    | body on the straight line between them                                 |
    | `faults`         | dict of float | -    | severity of each fault of the exercise in the set's motion, 0 to 1     |
    | `reward_terms`   | dict of float | -    | after a step                                                           |

    Terminated when the pelvis falls below half its planned height or the physics fails; truncated at the end of the
    set.

    Attributes:
        task: The arguments.
        episode: The set that is going on: its `draw`, `model`, `reference`, and more.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 20}

    def __init__(self, *, render_mode: str | None = None, **arguments: Any):
        """See `squat_env.task.Task` for the arguments other than `render_mode`, which is None or "rgb_array".

        Raises:
            ValueError: An argument is outside what it may be.
            TypeError: There is no such argument.
        """
        self.task, self.render_mode = Task(**arguments), checked_render_mode(render_mode)
        self.metadata = self.metadata | {"render_fps": int(self.task.control_hz)}
        self.observation_space, self.action_space = observation_space(self.task), action_space()
        self._columns = tuple(columns(self.task).items())
        self._width = max(part.stop for _, part in self._columns)
        self._set: Episode | None = None
        self._spare: mujoco.MjData | None = None  # of the set before the one that is going on
        self._camera = Camera()

    @property
    def episode(self) -> Episode:
        """The set that is going on.

        Raises:
            gymnasium.error.ResetNeeded: There is none yet.
        """
        if self._set is None:
            raise gym.error.ResetNeeded("there is no set yet, expected reset() before this")
        return self._set

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Draws and plans a new set; `options` may fix its "body", "placement" and "motion".

        Raises:
            ValueError: An unknown option, or a fixed value that is physically impossible; the set that is going on
                goes on.
        """
        super().reset(seed=seed)
        following = Episode(self.task, next_seed(self.np_random), options or {}, self._spare)
        if self._set is not None:
            self._spare = self._set.surveyor.data
        self._set = following
        row = np.empty(self._width, np.float32)
        self._set.begin(row)
        return self._seen(row), self._set.info()

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_spare": None}

    def step(self, action: np.ndarray):
        """Goes one control step on.

        Raises:
            ValueError: The action is not finite or has the wrong shape; nothing has moved.
            gymnasium.error.ResetNeeded: The set is over, or there is none yet.
        """
        episode, row = self.episode, np.empty(self._width, np.float32)
        terms = episode.advance(residuals(action, (JOINTS,)), row)
        info = episode.info(reward_terms=terms)
        return self._seen(row), sum(terms.values()), episode.fallen, episode.over, info

    def render(self) -> np.ndarray | None:
        """An image (480, 480, 3) of the wearer, None without a render mode."""
        return None if self.render_mode is None else self._camera.shoot(self.episode)

    def close(self) -> None:
        """Frees the renderer."""
        self._camera.close()

    def _seen(self, row: np.ndarray) -> dict[str, np.ndarray]:
        """What the agent sees, a row (W,) of all its values."""
        return {name: row[part] for name, part in self._columns}


def checked_render_mode(mode: str | None) -> str | None:
    """The mode.

    Raises:
        ValueError: There is no such mode.
    """
    if mode not in (None, "rgb_array"):
        raise ValueError(f"render_mode is {mode!r}, expected None or 'rgb_array'")
    return mode


def residuals(actions: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """What actions, cut to [-1, 1], add to the controller's targets: float64 of the same shape [rad].

    Raises:
        ValueError: They are not finite or not of this shape.
    """
    actions = np.asarray(actions)
    if actions.shape != shape:
        raise ValueError(f"action has shape {actions.shape}, expected {shape}")
    if not np.vdot(actions, actions) <= 1.0:  # only then can one of them be beyond 1, or not finite
        if wrong := np.count_nonzero(~np.isfinite(actions)):
            raise ValueError(f"action has {wrong} values that are not finite, expected values from -1 to 1")
        actions = np.clip(actions, -1.0, 1.0)
    return actions * RESIDUAL_RAD


class Camera:
    """Takes pictures of wearers; a copy or a pickle of it is as good as new."""

    def __init__(self):
        self._of: Episode | None = None

    def shoot(self, episode: Episode) -> np.ndarray:
        """An image (480, 480, 3) of the wearer where he is, the line of sight in its colour."""
        if self._of is not episode:
            self.close()
            self._of, self._renderer = episode, WearerRenderer(episode.model, width=PIXELS, height=PIXELS)
            planned = episode.reference.qpos[:: episode.task.ticks]
            self._camera = stand(self._renderer.model, planned, view="three-quarter", aspect=1.0)
        return self._renderer.draw(episode.qpos, self._camera)

    def close(self) -> None:
        """Frees the renderer."""
        if self._of is not None:
            self._of = None
            self._renderer.close()

    def __reduce__(self) -> tuple[type["Camera"], tuple[()]]:
        return Camera, ()
