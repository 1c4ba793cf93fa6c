"""Wearable-sensor simulation of exercise: `gymnasium.make("SquatSensor-v0")`."""

import gymnasium as gym

if "SquatSensor-v0" not in gym.registry:
    gym.register(
        id="SquatSensor-v0",
        entry_point="squat_env.env:SquatSensorEnv",
        vector_entry_point="squat_env.vector:SquatSensorVectorEnv",
    )
