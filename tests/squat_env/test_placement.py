"""Placements: any side, any way round, mirrored, and on the body instead of in it."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest
from wearers import BODY, mounted

from generators.repetition import flatten
from squat_env.body import Body
from squat_env.model import build_model
from squat_env.placement import (
    Mounting,
    Placement,
    PlacementRanges,
    mirrored,
    rotation,
    sample_placement,
)
from squat_env.population import Population, Seeds, devices_inside, prepare
from squat_env.spots import ANYWHERE, PHONE_SPOTS
from squat_env.surface import MOST_LIFTED_M, PRESSED_M, Capsule, Ellipsoid, box_points, lift
from squat_env.wearables import DEVICES
from squat_env.wobble import Looseness

BODIES = {
    "small": Body(height_m=1.50, mass_kg=42.0, sex="female"),
    "average": Body(),
    "large": Body(height_m=1.95, mass_kg=125.0),
}
EVERYWHERE = PlacementRanges(phone_spots=ANYWHERE)


def drawn(ranges: PlacementRanges = EVERYWHERE, count: int = 300) -> list[Placement]:
    return [sample_placement(ranges, np.random.default_rng(seed)) for seed in range(count)]


def at(spot: str) -> PlacementRanges:
    return PlacementRanges(phone_spots=((spot, 1.0),))


@pytest.mark.parametrize("side", ["left", "right"])
def test_turn_zero_has_the_screen_outwards_and_its_top_up(side):
    turn = rotation(Mounting(spot="front_pocket", side=side, along=0.3, azimuth_deg=90.0))
    assert np.allclose(turn @ [0, 0, 1], [0, 1 if side == "left" else -1, 0], atol=1e-12)
    assert np.allclose(turn @ [0, 1, 0], [0, 0, 1], atol=1e-12)


def test_placements_are_proper_and_either_side():
    placements = drawn()
    for placement in placements[:40]:
        for mounting in (placement.watch, placement.phone):
            turn = rotation(mounting)
            assert np.allclose(turn @ turn.T, np.eye(3), atol=1e-12)
            assert np.isclose(np.linalg.det(turn), 1.0)
    sides = np.array([[p.watch.side == "left", p.phone.side == "left"] for p in placements])
    assert (np.abs(sides.mean(0) - 0.5) < 0.1).all()
    assert abs(np.corrcoef(sides.T)[0, 1]) < 0.15


@pytest.mark.parametrize("seed", range(12))
def test_a_mirrored_placement_has_mirrored_rotation_and_place(seed):
    placement = sample_placement(PlacementRanges(phone_spots=ANYWHERE, loose_share=1.0), np.random.default_rng(seed))
    other = Placement(watch=mirrored(placement.watch), phone=mirrored(placement.phone))
    mirror, own = np.diag([1.0, -1.0, 1.0]), np.diag([-1.0, 1.0, 1.0])
    for one, its in ((placement.watch, other.watch), (placement.phone, other.phone)):
        assert np.allclose(rotation(its), mirror @ rotation(one) @ own, atol=1e-12)
        assert mirrored(its) == one
    states = []
    for worn in (placement, other):
        model = build_model(BODY, worn)
        states.append(mujoco.MjData(model))
        mujoco.mj_kinematics(model, states[-1])
    for name in DEVICES:
        left, right = (state.site(name) for state in states)
        assert np.allclose(right.xpos, mirror @ left.xpos, atol=1e-9)
        assert np.allclose(right.xmat.reshape(3, 3), mirror @ left.xmat.reshape(3, 3) @ own, atol=1e-9)


def test_left_and_right_are_drawn_as_mirror_images():
    """The screen's top and the crown point the same ways, the axes of the swing too, seen in the mirror."""
    turns = {side: [] for side in ("left", "right")}
    for placement in drawn(at("hand"), 200):
        turns[placement.phone.side].append(placement.phone.turn_deg)
    down = {side: np.median(values) for side, values in turns.items()}
    assert np.isclose(down["left"], -120.0, atol=10.0)
    assert np.isclose(down["right"], 120.0, atol=10.0)


def test_a_hanging_arm_has_gravity_along_the_watchs_x_either_way():
    along = [rotation(p.watch)[2, 0] for p in drawn()]  # of the upward direction, which the accelerometer reads
    assert np.abs(along).min() > 0.9
    assert 0.4 < np.mean(np.array(along) > 0) < 0.6


def test_a_watch_faces_outwards_and_sometimes_inwards():
    outwards = [rotation(p.watch)[1, 2] * (1 if p.watch.side == "left" else -1) for p in drawn(count=600)]
    assert 0.02 < np.mean(np.array(outwards) < 0) < 0.09


def test_the_strap_turns_with_the_asked_spread():
    azimuths = np.array([p.watch.azimuth_deg for p in drawn()])
    assert 17.0 < (azimuths[azimuths > 0] - 90.0).std() < 23.0


def test_a_front_pocket_is_where_people_have_it():
    phones = [p.phone for p in drawn(at("front_pocket"))]
    assert np.isclose(np.median([phone.along for phone in phones]), 0.365, atol=0.02)
    assert 0.03 < np.std([phone.along for phone in phones]) * 0.42 < 0.05
    up = np.array([rotation(phone)[2, 1] for phone in phones])
    assert np.mean(up > 0.7) > 0.35 < np.mean(up < -0.7)
    assert 0.4 < np.mean([phone.screen_in for phone in phones]) < 0.6


def test_an_armband_shows_its_screen():
    assert not any(p.phone.screen_in for p in drawn(at("upper_arm"), 50))


def test_only_a_phone_in_the_hand_occupies_it():
    occupied = {p.phone.spot for p in drawn() if not p.hands_free}
    assert occupied == {"hand"}
    assert {p.phone.spot for p in drawn()} == set(PHONE_SPOTS)


def test_holds_are_drawn_and_can_be_tight():
    phones = [p.phone for p in drawn(at("front_pocket"))]
    loose = [phone.looseness for phone in phones if phone.looseness.play_deg]
    assert 0.4 < len(loose) / len(phones) < 0.6
    assert 10.0 < max(hold.play_deg for hold in loose) <= 12.0
    assert all(0.2 <= hold.damping <= 0.5 and 2.5 <= hold.natural_hz <= 6.0 for hold in loose)
    tight = drawn(PlacementRanges(phone_spots=ANYWHERE, loose_share=0.0), 50)
    assert {m.looseness for p in tight for m in (p.watch, p.phone)} == {Looseness()}


def test_a_phone_stands_in_its_pocket_and_a_watch_slips_around_the_wrist():
    for placement in drawn(
        PlacementRanges(phone_spots=(("front_pocket", 1.0), ("back_pocket", 1.0)), loose_share=1.0), 50
    ):
        phone, watch = placement.phone, placement.watch
        assert np.allclose(rotation(phone) @ phone.looseness.arm_m, [0.0, 0.0, 0.06], atol=1e-9)
        assert np.allclose(np.abs(rotation(watch) @ watch.looseness.axis), [0.0, 0.0, 1.0], atol=1e-9)


def test_one_mounting_for_all_still_has_random_places():
    ranges = PlacementRanges(orientation="fixed")
    placements = drawn(ranges, 20)
    watches = [p.watch for p in placements]
    assert len({(w.turn_deg, w.azimuth_deg, w.tilt_deg) for w in watches}) == 1
    assert len({w.along for w in watches}) == 20
    assert {m.looseness for p in placements for m in (p.watch, p.phone)} == {Looseness()}


def test_everything_drawn_can_be_stored():
    for _, value in flatten(drawn(count=1)[0], "placement"):
        assert np.asarray(value).dtype.kind in "bifU"


def device_inside(model) -> str | None:
    return devices_inside(model, mujoco.MjData(model), range(1)).get(0)


@pytest.mark.parametrize("body", sorted(BODIES))
@pytest.mark.parametrize("spot", sorted(PHONE_SPOTS))
def test_devices_lie_outside_every_body(spot, body):
    default = Mounting(spot=spot, side="left", along=PHONE_SPOTS[spot].along, azimuth_deg=PHONE_SPOTS[spot].azimuth_deg)
    assert device_inside(build_model(BODIES[body], Placement(phone=default))) is None
    inside = [device_inside(build_model(BODIES[body], placement)) for placement in drawn(at(spot), 60)]
    assert sum(name is not None for name in inside) <= 2, inside


@pytest.mark.parametrize("spot", sorted(PHONE_SPOTS))
def test_devices_lie_on_the_body_and_not_above_it(spot):
    for placement in drawn(at(spot), 20):
        model = build_model(BODY, placement)
        data = mujoco.MjData(model)
        mujoco.mj_kinematics(model, data)
        carriers = [model.geom(k).id for k in range(model.ngeom) if model.geom_bodyid[k] and model.geom(k).name]
        for name in DEVICES:
            device = model.geom(name).id
            gap = min(mujoco.mj_geomDistance(model, data, device, k, 1.0, None) for k in carriers if k != device)
            assert gap < MOST_LIFTED_M, (name, placement)


def test_a_phone_inside_the_body_is_noticed_and_refused():
    inside = Placement(phone=Mounting(spot="front_pocket", side="left", along=0.0, azimuth_deg=-90.0))
    assert device_inside(build_model(BODY, inside)) == "phone"
    assert device_inside(build_model(BODY, mounted())) is None
    with pytest.raises(ValueError, match="phone is inside"):
        prepare(Population(), Seeds(seed=0, index=0), body=BODY, placement=inside)


SHAPES = {
    "capsule": Capsule(start=np.array([0.0, 0.1, -0.2]), end=np.array([0.05, 0.1, 0.3]), radius=0.08),
    "ellipsoid": Ellipsoid(
        centre=np.array([0.02, 0.1, 0.0]),
        half_axes=np.array([0.1, 0.15, 0.2]),
        rotation=np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]]),
    ),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_depth_is_the_way_out(shape):
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.3, 0.4, (3000, 3))
    for direction in np.vstack([np.eye(3), rng.standard_normal((5, 3))]):
        direction = direction / np.linalg.norm(direction)
        depth = shape.depth(points, direction)
        inside = depth > 0
        assert 50 < inside.sum() < 2000
        beyond = points[inside] + (depth[inside, None] + 1e-6) * direction
        short = points[inside] + (depth[inside, None] - 1e-6) * direction
        assert not shape.depth(beyond, direction).any()
        assert (shape.depth(short, direction) > 0).all()


def test_lifting_leaves_no_point_deeper_than_cloth_and_flesh_give_way():
    points, out = box_points((0.004, 0.03, 0.06)) + np.array([0.08, 0.1, 0.0]), np.array([1.0, 0.0, 0.0])
    moved = lift(points, out, list(SHAPES.values()))
    assert 0.0 < moved <= MOST_LIFTED_M
    deepest = max(shape.depth(points + moved * out, out).max() for shape in SHAPES.values())
    assert np.isclose(deepest, PRESSED_M)
    assert lift(points - [0.15, 0.0, 0.0], out, list(SHAPES.values())) == 0.0


@pytest.mark.parametrize(
    "change", [{"side": "middle"}, {"along": 1.5}, {"along": np.nan}, {"turn_deg": np.inf}, {"tilt_deg": (np.nan, 0.0)}]
)
def test_absurd_mountings_are_refused(change):
    with pytest.raises(ValueError, match="expected"):
        Mounting(**({"spot": "front_pocket", "side": "left", "along": 0.3, "azimuth_deg": 0.0} | change))


def test_unknown_spots_are_refused():
    with pytest.raises(ValueError, match="hat"):
        PlacementRanges(phone_spots=(("hat", 1.0),))
    with pytest.raises(ValueError, match="hat"):
        Placement(phone=Mounting(spot="hat", side="left", along=0.3, azimuth_deg=0.0))


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_pronated_forearm_held_forwards_shows_the_back_of_its_wrist_upwards(side):
    other = Placement().watch
    placement = replace(Placement(), watch=replace(other, side=side))
    model = build_model(Body(), placement)
    data = mujoco.MjData(model)
    for joint, degrees in (("elbow_flexion", 90.0), ("elbow_pronation", 90.0)):
        data.joint(f"{side}_{joint}").qpos[0] = np.deg2rad(degrees)
    mujoco.mj_kinematics(model, data)
    assert data.site("watch").xmat.reshape(3, 3)[2, 2] > 0.9
