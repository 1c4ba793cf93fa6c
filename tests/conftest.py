"""MuJoCo reads once, at its import, how to draw; on a machine without a screen that is settled here."""

from squat_env.display import choose_backend

choose_backend()
