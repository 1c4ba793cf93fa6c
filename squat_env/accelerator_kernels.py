"""What runs on the device around the physics: feedback and targets before a tick, the record after it.

Arrays over ticks are (T, W, ...): tick within the present chunk, world. `tick` holds the present one.
"""

# pyright: reportIndexIssue=false, reportAssignmentType=false, reportGeneralTypeIssues=false, reportOperatorIssue=false

import mujoco
import warp as wp

from squat_env.dynamics import BALANCE_STEPS

ACCEL = wp.constant(int(mujoco.mjtSensor.mjSENS_ACCELEROMETER))
GYRO = wp.constant(int(mujoco.mjtSensor.mjSENS_GYRO))


@wp.struct
class Sites:
    """The site sensors of each world; unlike mujoco_warp's, they may sit on other bodies in other worlds.

    Attributes:
        kind, address: (S,) type, and first column of the readings.
        body, place, turn: (W, S) where the site is: a body, and place and orientation in its frame.
        from_body, from_place, from_turn: (W, S) of the site in whose frame a position is told.
    """

    kind: wp.array[int]
    address: wp.array[int]
    body: wp.array2d[int]
    place: wp.array2d[wp.vec3]
    turn: wp.array2d[wp.mat33]
    from_body: wp.array2d[int]
    from_place: wp.array2d[wp.vec3]
    from_turn: wp.array2d[wp.mat33]


@wp.kernel
def note(tick: wp.array[int], row: wp.array2d[float], record: wp.array3d[float]):
    """Writes a row of each world (W, n) into its record."""
    world, column = wp.tid()
    record[tick[0], world, column] = row[world, column]


@wp.kernel
def refresh(
    tick: wp.array[int],
    planned: wp.array3d[float],
    gain: wp.array4d[float],
    columns: wp.array[int],
    readings: wp.array2d[float],
    held: wp.array2d[float],
):
    """Renews the feedback of the centre of mass at every `BALANCE_STEPS`-th tick."""
    world, joint = wp.tid()
    if tick[0] % wp.static(BALANCE_STEPS) == 0:
        row = tick[0] // wp.static(BALANCE_STEPS)
        total = wp.float32(0.0)
        for k in range(6):
            total += gain[row, world, joint, k] * (planned[row, world, k] - readings[world, columns[k]])
        held[world, joint] = total


@wp.kernel
def tell(tick: wp.array[int], targets: wp.array3d[float], held: wp.array2d[float], ctrl: wp.array2d[float]):
    """Gives the actuators the targets of the plan and the feedback."""
    world, joint = wp.tid()
    ctrl[world, joint] = targets[tick[0], world, joint] + held[world, joint]


@wp.kernel
def read_sites(
    tick: wp.array[int],
    sites: Sites,
    body_rootid: wp.array[int],
    xpos: wp.array2d[wp.vec3],
    xmat: wp.array2d[wp.mat33],
    subtree_com: wp.array2d[wp.vec3],
    cvel: wp.array2d[wp.spatial_vector],
    cacc: wp.array2d[wp.spatial_vector],
    readings: wp.array3d[float],
):
    """Reads accelerometers, gyroscopes and relative positions, as MuJoCo defines them."""
    world, sensor = wp.tid()
    body = sites.body[world, sensor]
    at = xpos[world, body] + xmat[world, body] @ sites.place[world, sensor]
    into = wp.transpose(xmat[world, body] @ sites.turn[world, sensor])
    turning = into @ wp.spatial_top(cvel[world, body])
    value = turning
    if sites.kind[sensor] == ACCEL:
        arm = at - subtree_com[world, body_rootid[body]]
        velocity, acceleration = cvel[world, body], cacc[world, body]
        moving = into @ (wp.spatial_bottom(velocity) - wp.cross(arm, wp.spatial_top(velocity)))
        value = into @ (wp.spatial_bottom(acceleration) - wp.cross(arm, wp.spatial_top(acceleration)))
        value += wp.cross(turning, moving)
    elif sites.kind[sensor] != GYRO:
        other = sites.from_body[world, sensor]
        start = xpos[world, other] + xmat[world, other] @ sites.from_place[world, sensor]
        value = wp.transpose(xmat[world, other] @ sites.from_turn[world, sensor]) @ (at - start)
    for k in range(3):
        readings[tick[0], world, sites.address[sensor] + k] = value[k]


@wp.kernel
def advance(tick: wp.array[int]):
    """Goes on to the next tick."""
    tick[0] = tick[0] + 1
