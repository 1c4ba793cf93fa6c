"""`SquatSensor-v0`: a humanoid squats and is measured by a phone and a watch."""

from dataclasses import replace
from typing import Any, ClassVar, Literal

import gymnasium as gym
import mujoco
import numpy as np
from gymnasium import spaces

from squat_env.body import Body
from squat_env.inertial import distort_imu
from squat_env.labels import halfway, upright
from squat_env.landmarks import joint_angles
from squat_env.model import DEVICES, TIMESTEP_S
from squat_env.motion import Motion
from squat_env.placement import Placement
from squat_env.population import Population, Seeds, prepare
from squat_env.ranging import distort_range
from squat_env.reference import controls
from squat_env.sensors import observe_scene
from squat_env.simulate import FALLEN_HEIGHT, initial_state

ACCEL_LIMIT = 8 * 9.80665  # m/s^2, full scale
GYRO_LIMIT = float(np.deg2rad(2000.0))  # rad/s, full scale
RANGE_LIMIT = 5.0  # m; no two places on a body are further apart
RESIDUAL_RAD = 0.2  # what an action of 1 adds to a joint's target
RANGE_HZ = 5.0


class SquatSensorEnv(gym.Env):
    """A free-standing humanoid squats under a PD controller, wearing a phone and a watch placed at random.

    Every reset draws a body, a motion, a placement and the devices' errors. One episode is one set, standing to
    standing.

    Action, `Box(-1, 1, (29,))`: added to the controller's joint targets, 1 = 0.2 rad, in the order of
    `squat_env.model.joint_names`. The zero action squats.

    Observation, `Dict`; the mean of the physics steps since the last control step, with the devices' errors:

    | key           | shape | unit  | bounds        | frame                                               |
    |---------------|-------|-------|---------------|-----------------------------------------------------|
    | `watch_accel` | (3,)  | m/s^2 | +-8 g         | watch, proper acceleration (+9.81 up at rest)       |
    | `watch_gyro`  | (3,)  | rad/s | +-2000 deg/s  | watch                                               |
    | `phone_accel` | (3,)  | m/s^2 | +-8 g         | phone                                               |
    | `phone_gyro`  | (3,)  | rad/s | +-2000 deg/s  | phone                                               |
    | `range`       | (1,)  | m     | 0 to 5        | the last reading; 0 before the first                |
    | `range_valid` | (1,)  | -     | 0 or 1        | 1 where `range` was read in this control step (5 Hz) |

    Reward: the sum of the terms in `info["reward_terms"]`:

    | term       | range   | meaning                                                                       |
    |------------|---------|-------------------------------------------------------------------------------|
    | `upright`  | 0 or 1  | the pelvis is above half its planned height                                   |
    | `tracking` | 0 to 1  | exp(-(rms joint error / 0.1 rad)^2)                                           |
    | `effort`   | -0.1..0 | -0.1 x mean squared action                                                    |

    `info` holds `phase` (0 down, 1 upright), `phase4` (0 stand, 1 descent, 2 bottom, 3 ascent), `repetition`,
    `progress` (0-1 of the set), `joint_angles` (10,) [deg], `landmarks` (17, 3) [m], `range_true` [m],
    `line_of_sight`, `body_thickness` [m].

    Terminated when the pelvis falls below half its planned height; truncated at the end of the set.

    Args:
        reps: Repetitions of a set.
        control_hz: Control steps a second; a divisor of 400.
        sensing: "measured" with the devices' errors, "ideal" without.
        device_level: Factor on the devices' errors; 0 is ideal.
        population: What bodies, motions, placements and devices are drawn from.
        body, placement, motion: Fixed for every episode instead of drawn; `reset(options={...})` takes them too.
        render_mode: None or "rgb_array".

    Raises:
        ValueError: An argument is outside what it may be.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 20}

    def __init__(
        self,
        *,
        reps: int = 1,
        control_hz: int = 20,
        sensing: Literal["measured", "ideal"] = "measured",
        device_level: float = 1.0,
        population: Population | None = None,
        body: Body | None = None,
        placement: Placement | None = None,
        motion: Motion | None = None,
        render_mode: str | None = None,
    ):
        physics_hz = round(1 / TIMESTEP_S)
        if physics_hz % control_hz:
            raise ValueError(f"control_hz is {control_hz}, expected a divisor of {physics_hz}")
        if reps < 1:
            raise ValueError(f"reps is {reps}, expected at least 1")
        if sensing not in ("measured", "ideal"):
            raise ValueError(f"sensing is {sensing!r}, expected 'measured' or 'ideal'")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode is {render_mode!r}, expected None or 'rgb_array'")
        level = device_level if sensing == "measured" else 0.0
        self.population = replace(
            population or Population(),
            devices=replace((population or Population()).devices, level=level),
        )
        self.reps, self.control_hz, self.render_mode = reps, control_hz, render_mode
        self.metadata = self.metadata | {"render_fps": control_hz}
        self._substeps = physics_hz // control_hz
        self._fixed = {"body": body, "placement": placement, "motion": motion}
        self._renderer: mujoco.Renderer | None = None
        imu = {"accel": ACCEL_LIMIT, "gyro": GYRO_LIMIT}
        boxes: dict[str, spaces.Box] = {
            f"{device}_{kind}": spaces.Box(-limit, limit, (3,), np.float32)
            for device in DEVICES
            for kind, limit in imu.items()
        }
        boxes["range"] = spaces.Box(0.0, RANGE_LIMIT, (1,), np.float32)
        boxes["range_valid"] = spaces.Box(0.0, 1.0, (1,), np.float32)
        self.observation_space = spaces.Dict({**boxes})
        self._boxes = boxes
        self.action_space = spaces.Box(-1.0, 1.0, (29,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Draws and plans a new set; `options` may hold "body", "placement", "motion" to fix those.

        Raises:
            ValueError: An unknown option, or a fixed value that is physically impossible.
        """
        super().reset(seed=seed)
        options = options or {}
        if unknown := set(options) - set(self._fixed):
            raise ValueError(f"options hold {sorted(unknown)}, expected only {sorted(self._fixed)}")
        seeds = Seeds(seed=int(self.np_random.integers(2**63)), index=0)
        prepared = prepare(self.population, seeds, repetitions=self.reps, **(self._fixed | options))
        self.draw, self.model, self.reference = prepared.draw, prepared.model, prepared.reference
        self._close_renderer()
        self._targets = controls(self.model, self.reference)
        _, self.data = initial_state(self.model, self.reference)
        self._looker = mujoco.MjData(self.model)
        self._noise = seeds.generator("noise")
        self._tick, self._range, self._next_range = 0, 0.0, 0.0
        self._halfway = halfway(self.reference.qpos[:, 2], self.reference.repetition)
        self._read_now()
        return self._observation(), self._info()

    def step(self, action: np.ndarray):
        """Runs the physics for one control step.

        Raises:
            ValueError: The action is not finite or has the wrong shape.
        """
        action = self._checked(action)
        self._advance(RESIDUAL_RAD * action)
        fallen = self._fallen()
        observation, info = self._observation(), self._info()
        info["reward_terms"] = self._reward_terms(action, fallen)
        return (
            observation,
            float(sum(info["reward_terms"].values())),
            fallen,
            not fallen and self._tick + self._substeps >= len(self._targets),
            info,
        )

    def render(self) -> np.ndarray | None:
        """An image (480, 480, 3) of the wearer, None without a render mode."""
        if self.render_mode is None:
            return None
        if self._renderer is None:
            self._renderer = mujoco.Renderer(self.model, 480, 480)
            self._camera = mujoco.MjvCamera()
            self._camera.distance, self._camera.azimuth, self._camera.elevation = 3.2, 130.0, -12.0
            self._camera.lookat[:] = 0.0, 0.0, 0.5 * self.draw.body.height_m
        self._renderer.update_scene(self.data, self._camera)
        return self._renderer.render()

    def close(self) -> None:
        """Frees the renderer."""
        self._close_renderer()

    def _close_renderer(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _checked(self, action: np.ndarray) -> np.ndarray:
        action = np.asarray(action, dtype=np.float64)
        if action.shape != self.action_space.shape or not np.isfinite(action).all():
            raise ValueError(
                f"action has shape {action.shape} and {np.count_nonzero(~np.isfinite(action))} non-finite values,"
                f" expected {self.action_space.shape} finite ones"
            )
        return np.clip(action, -1.0, 1.0)

    def _advance(self, residual: np.ndarray) -> None:
        """Steps the physics; the controller's targets move at every physics step."""
        readings = np.empty((self._substeps, self.model.nsensordata))
        last = len(self._targets) - 1
        for k in range(self._substeps):
            self.data.ctrl[:] = self._targets[min(self._tick + k, last)] + residual
            mujoco.mj_step(self.model, self.data)
            readings[k] = self.data.sensordata
        self._tick += self._substeps
        self._readings = readings

    def _read_now(self) -> None:
        mujoco.mj_forward(self.model, self.data)
        self._readings = self.data.sensordata[None].copy()

    def _fallen(self) -> bool:
        now = min(self._tick, len(self._targets) - 1)
        bad = any(warning.number for warning in self.data.warning)
        return bool(bad or self.data.qpos[2] < FALLEN_HEIGHT * self.reference.qpos[now, 2])

    def _reward_terms(self, action: np.ndarray, fallen: bool) -> dict[str, float]:
        now = min(self._tick, len(self._targets) - 1)
        error = np.sqrt(np.mean((self.data.qpos[7:] - self.reference.qpos[now, 7:]) ** 2))
        return {
            "upright": 0.0 if fallen else 1.0,
            "tracking": float(np.exp(-((error / 0.1) ** 2))),
            "effort": -0.1 * float(np.mean(action**2)),
        }

    def _observation(self) -> dict[str, np.ndarray]:
        mean = self._readings.mean(0)
        observation = {}
        for device in DEVICES:
            accel, gyro = (mean[self.model.sensor(f"{device}_{kind}").adr[0] :][:3] for kind in ("accel", "gyro"))
            errors = getattr(self.draw.devices, device)
            accel, gyro = distort_imu(accel[None], gyro[None], errors, self._noise, rate_hz=self.control_hz)
            observation[f"{device}_accel"], observation[f"{device}_gyro"] = accel[0], gyro[0]
        self._scene = observe_scene(self.model, self.data.qpos[None], self._looker)
        observation["range"], observation["range_valid"] = self._observe_range()
        return {
            name: np.clip(observation[name], box.low, box.high).astype(np.float32) for name, box in self._boxes.items()
        }

    def _observe_range(self) -> tuple[np.ndarray, np.ndarray]:
        now, valid = self._tick * TIMESTEP_S, 0.0
        if now >= self._next_range - 1e-9:
            self._next_range += 1.0 / RANGE_HZ
            reading = distort_range(
                np.array([self._true_range()]), self._scene.thickness, self.draw.devices.range, self._noise
            )[0]
            if np.isfinite(reading):
                self._range, valid = float(reading), 1.0
        return np.array([self._range]), np.array([valid])

    def _true_range(self) -> float:
        watch, phone = (self._looker.site(name).xpos for name in DEVICES)
        return float(np.linalg.norm(watch - phone))

    def _info(self) -> dict[str, Any]:
        now = min(self._tick, len(self._targets) - 1)
        scene, repetition = self._scene, int(self.reference.repetition[now])
        return {
            "phase": int(upright(scene.pelvis_height, self._halfway[repetition])[0]),
            "phase4": int(self.reference.phase4[now]),
            "repetition": repetition,
            "progress": now / (len(self._targets) - 1),
            "joint_angles": joint_angles(scene.landmarks)[0],
            "landmarks": scene.landmarks[0],
            "range_true": self._true_range(),
            "line_of_sight": bool(scene.line_of_sight[0]),
            "body_thickness": float(scene.thickness[0]),
        }
