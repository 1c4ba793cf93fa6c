"""`squat view, render`: looking at a simulated set."""

import argparse
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from real2sim.cli.options import positive

if TYPE_CHECKING:
    from real2sim.signal_panel import Signals
    from squat_env.population import Prepared
    from squat_env.simulate import Simulation

VIEWS = ("side", "three-quarter", "front")
SIGNAL_HZ = 50.0
ATTEMPTS = 20  # draws of a motion before an exercise is given up


def add_looking(commands: Any) -> None:
    """Adds the commands that show a set."""
    view = commands.add_parser("view", help="watch a simulated set in MuJoCo's viewer")
    _add_set(view, repetitions=3)
    view.add_argument("--speed", type=_speed, default=1.0, help="over real time (default: %(default)s)")
    view.set_defaults(run=_view)
    render = commands.add_parser("render", help="a film strip or a film of a simulated set")
    _add_set(render, repetitions=1)
    render.add_argument("--out", type=Path, required=True, help="a .png is a film strip, a .gif or .mp4 a film")
    render.set_defaults(run=_render)


def _add_set(command: argparse.ArgumentParser, *, repetitions: int) -> None:
    command.add_argument("--exercise", default="squat", help="what is done (default: %(default)s)")
    command.add_argument(
        "--faults", type=_severities, default={}, metavar="NAME=SEVERITY,...", help="such as knee_valgus=0.6"
    )
    command.add_argument("--reps", type=positive, default=repetitions, help="of the set (default: %(default)s)")
    command.add_argument("--seed", type=int, default=0, help="of every draw (default: %(default)s)")
    command.add_argument(
        "--view", choices=VIEWS, default="three-quarter", help="where the camera stands (default: %(default)s)"
    )


def _speed(text: str) -> float:
    speed = float(text)
    if not 0.01 <= speed <= 100.0:
        raise argparse.ArgumentTypeError(f"{text} is not a speed from 0.01 to 100")
    return speed


def _severities(text: str) -> dict[str, float]:
    """`knee_valgus=0.6,too_fast=1` to a dictionary."""
    severities = {}
    for part in text.split(","):
        name, _, severity = part.partition("=")
        try:
            severities[name.strip()] = float(severity)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{part!r} is not a fault and its severity, such as knee_valgus=0.6"
            ) from None
    return severities


def _view(options: argparse.Namespace) -> None:
    from squat_env.display import require_screen

    require_screen()
    from squat_env.viewer import play

    prepared, simulation = _perform(options)
    title, _ = _describe(options, prepared)
    with _stopping("closed"):
        play(prepared.model, simulation.qpos, simulation.time, view=options.view, speed=options.speed, title=title)


def _render(options: argparse.Namespace) -> None:
    from real2sim import film
    from squat_env.display import require_gl

    film.check_output(options.out)
    require_gl()
    prepared, simulation = _perform(options)
    signals = _measure(options, prepared, simulation)
    title, subtitle = _describe(options, prepared)
    write = _write_strip if options.out.suffix.lower() == ".png" else _write_film
    with _stopping(f"stopped; {options.out} was not written"):
        write(options, prepared, simulation, signals, title=title, subtitle=subtitle)
    print(options.out)


@contextmanager
def _stopping(said: str) -> Iterator[None]:
    """What is said where the user interrupts."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        raise KeyboardInterrupt(said) from stopped


def _write_strip(
    options: argparse.Namespace, prepared: "Prepared", simulation: "Simulation", signals: "Signals", **titles: str
) -> None:
    import numpy as np

    from real2sim import film
    from squat_env.render import draw_row

    moments = np.searchsorted(simulation.time, film.strip_times(simulation.time[-1]))
    width, height = film.STRIP_SIZE
    poses = draw_row(prepared.model, simulation.qpos[moments], view=options.view, width=width, height=height)
    film.write_picture(options.out, film.compose_strip(poses, signals, **titles))


def _write_film(
    options: argparse.Namespace, prepared: "Prepared", simulation: "Simulation", signals: "Signals", **titles: str
) -> None:
    import numpy as np

    from real2sim import film
    from squat_env.render import draw_film

    rate = film.RATES_HZ[options.out.suffix.lower()]
    times = np.arange(int(simulation.time[-1] * rate) + 1) / rate
    moments = np.searchsorted(simulation.time, times - 1e-9)
    width, height = film.FILM_SIZE
    pictures = draw_film(prepared.model, simulation.qpos[moments], view=options.view, width=width, height=height)
    film.write_film(options.out, film.compose_film(pictures, times, signals, **titles))


def _perform(options: argparse.Namespace) -> "tuple[Prepared, Simulation]":
    """Draws and simulates a set; one that fails is drawn again."""
    from real2sim.film import FilmError
    from squat_env.population import Population, Seeds, prepare
    from squat_env.simulate import SimulationFailed, judge, simulate

    seeds, attempt, failures = Seeds(seed=options.seed, index=0), 0, Counter()
    what = {"exercise": options.exercise, "faults": options.faults, "repetitions": options.reps}
    for _ in range(ATTEMPTS):
        try:
            prepared = prepare(Population(), seeds, first_attempt=attempt, **what)
            simulation = simulate(prepared.model, prepared.reference)
            failure = judge(prepared.model, prepared.reference, simulation).failure
        except ValueError as error:
            raise FilmError(f"this set cannot be made: {error}") from error
        except SimulationFailed as error:
            failure = error.reason
        if failure is None:
            return prepared, simulation
        failures[failure] += 1
        attempt = prepared.attempt + 1
    raise FilmError(
        f"{options.exercise} of seed {options.seed} failed in {ATTEMPTS} draws ({dict(failures)}), expected one to"
        " succeed; try another seed"
    )


def _measure(options: argparse.Namespace, prepared: "Prepared", simulation: "Simulation") -> "Signals":
    """What the set's own devices record of it, as a dataset would hold it."""
    from real2sim.signal_panel import Signals
    from real2sim.simulation import record_set
    from squat_env.sensors import observe_scene

    every = round(1 / (SIGNAL_HZ * (simulation.time[1] - simulation.time[0])))
    scene = observe_scene(prepared.model, simulation.qpos[::every])
    streams = record_set(prepared, simulation, scene, seed=options.seed, rate_hz=SIGNAL_HZ)
    return Signals(
        time=simulation.time[::every],
        accel=streams.sample["watch_accel"],
        gyro=streams.sample["watch_gyro"],
        distance=streams.sample["range_ideal"],
        thickness=scene.thickness,
        in_sight=scene.line_of_sight,
        phase4=prepared.reference.phase4[::every],
        range_time=streams.range["range_time"],
        range_reading=streams.range["range_reading"],
    )


def _describe(options: argparse.Namespace, prepared: "Prepared") -> tuple[str, str]:
    """Title and subtitle: what is done, and by whom with what where."""
    draw = prepared.draw
    faults = " and ".join(f"{name.replace('_', ' ')} {severity:g}" for name, severity in options.faults.items())
    title = options.exercise.replace("_", " ") + (f" with {faults}" if faults else "") + f", seed {options.seed}"
    phone, watch = draw.placement.phone, draw.placement.watch
    parts = (
        f"{draw.body.sex}, {draw.body.height_m:.2f} m, {draw.body.mass_kg:.0f} kg",
        f"watch on the {watch.side} wrist",
        f"phone: {phone.side} {phone.spot.replace('_', ' ')}",
        f"arms: {draw.motion.arms.replace('_', ' ')}",
    )
    return title, " · ".join(parts)
