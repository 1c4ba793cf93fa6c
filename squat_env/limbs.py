"""Angles of legs between a pelvis and the ground, and of arms on a turning trunk; places on feet of a moving body.

Frames are passed around as three column vectors x, y, z of three numbers each; rotations about hinges follow
`rotations.euler_yxz`. Index 0 is the left side, 1 the right one, whose hinges about x and z are mirror images.
"""

import math

import numpy as np

from squat_env.compiled import compiled

Vector = tuple[float, float, float]
Frame = tuple[Vector, Vector, Vector]

LEAST_RISE_M2 = 1e-4  # square of the height of a hip over its ankle at least
MOST_INWARDS = 0.8  # sine of the angle by which a leg's plane turns at most


@compiled
def leg_angles(
    lengths: tuple[float, float],
    hips: np.ndarray,
    position: np.ndarray,
    pelvis: np.ndarray,
    feet: np.ndarray,
    ankles: np.ndarray,
    toes: np.ndarray,
    ahead: np.ndarray,
    valgus: np.ndarray,
) -> tuple[np.ndarray, float]:
    """Angles of the legs, and how far the farthest hip is from its ankle; beyond the leg's length they mean nothing.

    Args:
        lengths: Of thigh and shank [m].
        hips: (2, 3) in the pelvis frame [m].
        position, pelvis: (K, 3), (K, 3, 3) of the pelvis [m].
        feet, ankles, toes: (K, 2, 3, 3), (K, 2, 3), (K, 2) orientation, place and toe extension of the feet [m, rad].
        ahead: (K or 1, 2, 3) where the knees point.
        valgus: (K,) how far they come inwards [m].

    Returns:
        (2, K, 8) hip flexion, abduction, rotation, knee, ankle flexion, inversion, rotation, toes [rad]; and [m].
    """
    thigh, shank = lengths
    count = len(position)
    angles, farthest = np.empty((2, count, 8)), 0.0
    for side in range(2):
        sign = 1.0 - 2.0 * side
        for k in range(count):
            trunk, sole = _frame(pelvis[k]), _frame(feet[k, side])
            ankle, hip = _vector(ankles[k, side]), _moved(_vector(position[k]), trunk, _vector(hips[side]))
            line = _less(hip, ankle)
            distance = math.sqrt(_dot(line, line))
            farthest = max(farthest, distance)
            up = _times(1.0 / distance, line)
            forwards = _vector(ahead[min(k, len(ahead) - 1), side])
            front = _less(forwards, _times(_dot(up, forwards), up))
            front = _times(1.0 / math.sqrt(_dot(front, front)), front)
            along = (distance**2 + thigh**2 - shank**2) / (2.0 * distance)
            out = math.sqrt(max(thigh**2 - along**2, 0.0))
            hinge = _cross(up, front)
            if valgus[k] != 0.0:
                inwards = sign * min(max(valgus[k] / max(out, 0.02), -MOST_INWARDS), MOST_INWARDS)
                straight = math.sqrt(1.0 - inwards**2)
                front, hinge = (
                    _less(_times(straight, front), _times(inwards, hinge)),
                    _less(_times(straight, hinge), _times(-inwards, front)),
                )
            knee = _less(_less(hip, _times(along, up)), _times(-out, front))
            upper = _upright(hinge, _times(1.0 / thigh, _less(hip, knee)))
            lower = _upright(hinge, _times(1.0 / shank, _less(knee, ankle)))
            row = angles[side, k]
            row[0], row[1], row[2] = _hinges(trunk, upper, -1.0, sign)
            row[3] = _hinges(upper, lower, 1.0, 1.0)[0]
            row[4], row[5], row[6] = _hinges(lower, sole, -1.0, sign)
            row[7] = toes[k, side]
        _unwrap(angles[side])
    return angles, farthest


@compiled
def hip_heights(
    lengths: tuple[float, float],
    bend: np.ndarray,
    hips: np.ndarray,
    pelvis: np.ndarray,
    place: np.ndarray,
    ankles: np.ndarray,
) -> np.ndarray:
    """Heights (2, K) of a pelvis at which either leg is bent as asked [m]; the highest where it is too short for that.

    Args:
        lengths: Of thigh and shank [m].
        bend: (K,) flexion of the knee [rad].
        hips: (2, 3) in the pelvis frame [m].
        pelvis, place: (K, 3, 3), (K, 2) orientation, and place over the ground of the pelvis [m].
        ankles: (K, 2, 3) [m].
    """
    thigh, shank = lengths
    heights = np.empty((2, len(bend)))
    for side in range(2):
        for k in range(len(bend)):
            reach = thigh**2 + shank**2 + 2.0 * thigh * shank * math.cos(bend[k])
            x, y, z = _moved((0.0, 0.0, 0.0), _frame(pelvis[k]), _vector(hips[side]))
            x, y = place[k, 0] + x - ankles[k, side, 0], place[k, 1] + y - ankles[k, side, 1]
            up = math.sqrt(max(reach - (x**2 + y**2), LEAST_RISE_M2))
            heights[side, k] = ankles[k, side, 2] + up - z
    return heights


@compiled
def arm_angles(hanging: np.ndarray, tipped: np.ndarray, thorax: np.ndarray) -> np.ndarray:
    """Angles of arms that keep their direction in the room while the trunk turns.

    Args:
        hanging: (2, K, 5) shoulder (three hinges), elbow and wrist of an upright wearer [rad].
        tipped: (K,) how far the arms tip forwards with the trunk [rad].
        thorax: (K, 3, 3) its orientation.

    Returns:
        (2, K, 5) [rad].
    """
    angles = hanging.copy()
    for side in range(2):
        sign = 1.0 - 2.0 * side
        for k in range(len(tipped)):
            y, x, z = -angles[side, k, 0], sign * angles[side, k, 1], sign * angles[side, k, 2]
            held = _tipped(tipped[k], _turned(y, x, z))
            angles[side, k, 0], angles[side, k, 1], angles[side, k, 2] = _hinges(_frame(thorax[k]), held, -1.0, sign)
        _unwrap(angles[side])
    return angles


@compiled
def foot_places(
    root: np.ndarray, pelvis: np.ndarray, leg: np.ndarray, joints: np.ndarray, sites: np.ndarray, others: float
) -> np.ndarray:
    """Places on a foot, down the leg from the pelvis.

    Args:
        root, pelvis: (T, 3), (T, 3, 3) place [m] and orientation of the pelvis.
        leg: (T, 7) hip (three hinges), knee and ankle (three hinges) [rad].
        joints: (3, 3) hip in the pelvis' frame, knee in the thigh's, ankle in the shank's [m].
        sites: (P, 3) places in the foot's frame [m].
        others: 1 on the left; -1 on the right, where hinges about x and z are mirrored.

    Returns:
        (T, P, 3) in the world [m].
    """
    places = np.empty((len(root), len(sites), 3))
    for k in range(len(root)):
        angle = leg[k]
        frame = _frame(pelvis[k])
        place = _moved(_vector(root[k]), frame, _vector(joints[0]))
        frame = _within(frame, _turned(-angle[0], others * angle[1], others * angle[2]))
        place = _moved(place, frame, _vector(joints[1]))
        frame = _within(frame, _turned(angle[3], 0.0, 0.0))
        place = _moved(place, frame, _vector(joints[2]))
        frame = _within(frame, _turned(-angle[4], others * angle[5], others * angle[6]))
        for number in range(len(sites)):
            x, y, z = _moved(place, frame, _vector(sites[number]))
            places[k, number, 0], places[k, number, 1], places[k, number, 2] = x, y, z
    return places


@compiled
def _unwrap(angles: np.ndarray) -> None:
    """Takes whole turns out of the steps of the first three columns of angles (K, C)."""
    for k in range(1, len(angles)):
        for column in range(3):
            step = angles[k, column] - angles[k - 1, column]
            angles[k, column] -= 2.0 * math.pi * np.rint(step / (2.0 * math.pi))


@compiled
def _hinges(parent: Frame, child: Frame, first: float, others: float) -> Vector:
    """Angles about y, x, z from one frame to the other, times signs for the first and for both others."""
    y = math.atan2(_dot(parent[0], child[2]), _dot(parent[2], child[2]))
    x = math.asin(min(max(-_dot(parent[1], child[2]), -1.0), 1.0))
    z = math.atan2(_dot(parent[1], child[0]), _dot(parent[1], child[1]))
    return first * y, others * x, others * z


@compiled
def _turned(y: float, x: float, z: float) -> Frame:
    """The frame that hinges about y, x, z turn the world's into."""
    cy, cx, cz, sy, sx, sz = math.cos(y), math.cos(x), math.cos(z), math.sin(y), math.sin(x), math.sin(z)
    return (
        (cy * cz + sy * sx * sz, cx * sz, cy * sx * sz - sy * cz),
        (sy * sx * cz - cy * sz, cx * cz, sy * sz + cy * sx * cz),
        (sy * cx, -sx, cy * cx),
    )


@compiled
def _within(parent: Frame, child: Frame) -> Frame:
    """A frame that is given in another one."""
    nowhere = (0.0, 0.0, 0.0)
    x, y, z = child
    return _moved(nowhere, parent, x), _moved(nowhere, parent, y), _moved(nowhere, parent, z)


@compiled
def _tipped(angle: float, frame: Frame) -> Frame:
    """A frame turned about the world's y axis."""
    c, s = math.cos(angle), math.sin(angle)
    a, b, d = frame
    return (
        (c * a[0] + s * a[2], a[1], c * a[2] - s * a[0]),
        (c * b[0] + s * b[2], b[1], c * b[2] - s * b[0]),
        (c * d[0] + s * d[2], d[1], c * d[2] - s * d[0]),
    )


@compiled
def _upright(left: Vector, up: Vector) -> Frame:
    """The frame whose y and z are these."""
    return _cross(left, up), left, up


@compiled
def _moved(place: Vector, frame: Frame, offset: Vector) -> Vector:
    """A place, moved by an offset in a frame."""
    x, y, z = frame
    a, b, c = offset
    return (
        place[0] + a * x[0] + b * y[0] + c * z[0],
        place[1] + a * x[1] + b * y[1] + c * z[1],
        place[2] + a * x[2] + b * y[2] + c * z[2],
    )


@compiled
def _frame(matrix: np.ndarray) -> Frame:
    m = matrix
    return (m[0, 0], m[1, 0], m[2, 0]), (m[0, 1], m[1, 1], m[2, 1]), (m[0, 2], m[1, 2], m[2, 2])


@compiled
def _vector(values: np.ndarray) -> Vector:
    return values[0], values[1], values[2]


@compiled
def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@compiled
def _less(a: Vector, b: Vector) -> Vector:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


@compiled
def _times(factor: float, a: Vector) -> Vector:
    return factor * a[0], factor * a[1], factor * a[2]


@compiled
def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
