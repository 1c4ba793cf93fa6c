"""How the wearer is drawn: the same physics, everything in the picture, the line in the colour of its sight."""

import copy
import os
import subprocess
import sys

import mujoco
import numpy as np
import pytest
from drawing import needs_gl
from wearers import STILL, mounted, performed

from squat_env import display
from squat_env.appearance import clothes, dress
from squat_env.motion import Cycle, Motion
from squat_env.placement import Mounting
from squat_env.render import AZIMUTH_DEG, draw_film, draw_row, line_of_sight, stand
from squat_env.sensors import observe_scene
from squat_env.simulate import simulate

FORWARD, OVERHEAD = (Motion(arms=arms, cycles=(Cycle(),)) for arms in ("forward", "overhead"))
BEHIND = Mounting(spot="back_pocket", side="right", along=0.02, azimuth_deg=165.0)


@pytest.fixture(scope="module")
def squat():
    return performed(FORWARD)


@pytest.fixture(scope="module")
def seen():
    return performed(OVERHEAD)


@pytest.fixture(scope="module")
def blocked():
    return performed(STILL, mounted(phone=BEHIND))


def at(model, qpos):
    data = mujoco.MjData(model)
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)
    return data


def coloured(picture, colour):
    """Number of pixels that are clearly more of one colour than of both others."""
    values = picture.astype(int)
    others = np.delete(values, "rgb".index(colour), axis=2).max(2)
    return int((values[..., "rgb".index(colour)] - others > 90).sum())


def test_clothes_and_light_leave_the_physics_alone(squat):
    model, reference, done = squat
    again = simulate(dress(model), reference)
    assert np.array_equal(again.qpos, done.qpos)
    assert np.array_equal(again.sensors, done.sensors)


def test_dressing_leaves_the_given_model_alone(squat):
    model = copy.copy(squat[0])
    before = model.geom_rgba.copy()
    dressed = dress(model)
    assert np.array_equal(model.geom_rgba, before)
    assert not np.array_equal(dressed.geom_rgba, before)


@pytest.mark.parametrize("name", ["squat", "seen", "blocked"])
def test_the_line_knows_the_same_thickness_as_the_labels(name, request):
    model, _, done = request.getfixturevalue(name)
    poses = done.qpos[::100]
    lines = [line_of_sight(model, at(model, qpos)) for qpos in poses]
    scene = observe_scene(model, poses)
    assert np.allclose([line.thickness for line in lines], scene.thickness)
    assert [not line.crossed for line in lines] == scene.line_of_sight.tolist()


def test_what_blocks_the_line_is_named(blocked):
    model, _, done = blocked
    line = line_of_sight(model, at(model, done.qpos[0]))
    assert {model.geom(geom).name for geom in line.crossed} == {"left_forearm", "middle_trunk"}


def test_every_garment_is_near_what_it_covers(squat):
    model = squat[0]
    for patch in clothes(model):
        body = model.geom_bodyid[patch.geom]
        reach = max(
            np.linalg.norm(model.geom_pos[g]) + model.geom_rbound[g] for g in np.flatnonzero(model.geom_bodyid == body)
        )
        assert np.linalg.norm(patch.place) < reach + 0.05, model.geom(patch.geom).name


@needs_gl
def test_the_colour_of_the_line_follows_the_line_of_sight(seen, blocked):
    model, _, done = seen
    assert not line_of_sight(model, at(model, done.qpos[0])).crossed
    (free,) = draw_film(model, done.qpos[:1], view="side")
    assert coloured(free, "g") > 100
    assert coloured(free, "r") == 0
    model, _, done = blocked
    (hidden,) = draw_film(model, done.qpos[:1], view="side")
    assert coloured(hidden, "r") > 100
    assert coloured(hidden, "g") == 0


@needs_gl
@pytest.mark.parametrize("view", AZIMUTH_DEG)
def test_the_camera_sees_the_whole_body_all_the_time(squat, view):
    model, _, done = squat
    for picture in draw_film(model, done.qpos[:: len(done.qpos) // 3], view=view, width=320, height=240):
        colourful = np.ptp(picture.astype(int), axis=2) > 30
        assert colourful.sum() > 2000
        edges = colourful[0], colourful[-1], colourful[:, 0], colourful[:, -1]
        assert not any(edge.any() for edge in edges)


@needs_gl
def test_a_row_shows_each_pose_in_its_column(squat):
    model, _, done = squat
    poses = done.qpos[np.linspace(0, len(done.qpos) - 1, 5).astype(int)]
    picture = draw_row(model, poses, width=800, height=240)
    assert picture.shape == (240, 800, 3)
    hair = picture.astype(int).sum(2) < 200
    tops = [np.flatnonzero(column.any(1))[0] for column in np.split(hair, 5, axis=1)]
    assert tops[2] > tops[0] + 20, "the middle of a squat is lower than its start"
    assert abs(tops[4] - tops[0]) < 5


def test_a_view_that_is_unknown_is_named(squat):
    with pytest.raises(ValueError, match=r"'above'.*side"):
        stand(squat[0], squat[2].qpos[:1], view="above", aspect=1.0)


@pytest.mark.parametrize(
    ("given", "found", "chosen"),
    [
        ({}, {"EGL", "OSMesa", "GL"}, "egl"),
        ({}, {"OSMesa", "GL"}, "osmesa"),
        ({}, {"EGL"}, None),
        ({}, set(), None),
        ({"DISPLAY": ":0"}, {"EGL", "GL"}, None),
        ({"MUJOCO_GL": "glfw"}, {"EGL", "GL"}, "glfw"),
    ],
)
def test_the_backend_suits_the_machine(monkeypatch, given, found, chosen):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("ctypes.util.find_library", lambda name: name if name in found else None)
    display.choose_backend()
    assert os.environ.get("MUJOCO_GL") == chosen


@pytest.mark.parametrize("backend", ["disable", "nonsense"])
def test_where_nothing_can_be_drawn_one_sentence_says_so(backend):
    code = "from squat_env.display import *\ntry: require_gl()\nexcept NoDisplay as error: print(error)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MUJOCO_GL": backend},
    )
    assert f"MUJOCO_GL is {backend}" in done.stdout
    assert done.stdout.count("\n") == 1
    assert not done.stderr
