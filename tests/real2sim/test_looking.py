"""`squat render` and `squat view`: what comes out, and what is refused."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from real2sim import film
from real2sim.cli import main
from real2sim.signal_panel import LABELS, Signals, draw_panel
from squat_env.display import NoDisplay, require_gl

GREEN, RED = (26, 158, 64), (224, 26, 26)


@pytest.fixture
def gl():
    try:
        require_gl()
    except NoDisplay as error:
        pytest.skip(str(error))


def signals(duration=3.0, rate=50.0, sight=True):
    time = np.arange(round(duration * rate) + 1) / rate
    when = np.arange(round(duration * 5)) / 5 + 0.1
    return Signals(
        time=time,
        accel=9.81 * np.column_stack([np.sin(time), np.cos(time), 0 * time]),
        gyro=np.column_stack([np.cos(3 * time), np.sin(5 * time), 0.2 * time]),
        distance=0.6 + 0.1 * np.sin(time),
        thickness=np.full(len(time), 0.0 if sight else 0.2),
        in_sight=np.full(len(time), sight),
        phase4=np.minimum(3, 4 * np.arange(len(time)) // len(time)).astype(np.int8),
        range_time=when,
        range_reading=np.where(np.arange(len(when)) % 4 == 3, np.nan, 0.62),
    )


def pixels(picture, colour):
    return int((picture == colour).all(-1).sum())


def frames(measured, times):
    pictures = (np.full((film.FILM_SIZE[1], film.FILM_SIZE[0], 3), 200, np.uint8) for _ in times)
    return list(film.compose_film(pictures, np.asarray(times), measured, title="squat", subtitle="somebody"))


def refusal(capsys, *arguments):
    assert main(list(arguments)) == 2
    said = capsys.readouterr()
    assert not said.out
    assert said.err.count("\n") == 1, said.err
    return said.err


@pytest.mark.parametrize(
    ("sight", "shown", "absent"), [(True, GREEN, RED), (False, RED, GREEN)], ids=["free", "blocked"]
)
def test_readings_have_the_colour_of_their_line_of_sight(sight, shown, absent):
    axes = draw_panel(signals(sight=sight), (0.0, 3.0), width=600, height=400)[:, LABELS:]
    assert pixels(axes, shown) > 100
    assert pixels(axes, absent) == 0


def test_a_lost_reading_looks_different_from_a_read_one():
    given = signals()
    lost = {**vars(given), "range_reading": np.full_like(given.range_reading, np.nan)}
    read = {**vars(given), "range_reading": np.interp(given.range_time, given.time, given.distance)}
    drawn = [draw_panel(Signals(**values), (0.0, 3.0), width=600, height=400)[280:, LABELS:] for values in (lost, read)]
    assert pixels(drawn[0], GREEN) > 1.3 * pixels(drawn[1], GREEN) > 0, "crosses are larger than dots"


def test_signals_scroll_past_the_present():
    now, later = (frame[film.FILM_SIZE[1] :, LABELS:] for frame in frames(signals(), [1.0, 1.4]))
    shift, present = round(0.4 * film.SECOND), round(film.NOW * now.shape[1])
    past = slice(shift, present - 2)
    assert np.array_equal(later[:, : present - 2 - shift], now[:, past])
    assert (now[:, present + 2 :] >= later[:, present + 2 - shift : -shift]).mean() > 0.99, "what is to come is paler"


def test_a_film_that_would_be_too_long_is_refused():
    with pytest.raises(film.FilmError, match="fewer repetitions"):
        frames(signals(duration=film.LONGEST_S + 1, rate=5.0), [0.0])


@pytest.mark.parametrize("suffix", film.RATES_HZ)
def test_a_film_holds_every_frame_at_its_rate(tmp_path, suffix):
    path, rate = tmp_path / f"film{suffix}", film.RATES_HZ[suffix]
    times = np.arange(0.0, 1.0, 1 / rate)
    film.write_film(path, frames(signals(), times))
    count, duration, size = read_mp4(path) if suffix == ".mp4" else read_gif(path)
    assert count == len(times)
    assert duration == pytest.approx(len(times) / rate, abs=0.05)
    assert size[0] / size[1] == pytest.approx(film.FILM_SIZE[0] / (film.FILM_SIZE[1] + film.PANEL_HEIGHT), rel=0.01)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def read_mp4(path):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    count, duration = imageio_ffmpeg.count_frames_and_secs(str(path))
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-i",
        path,
        "-f",
        "image2",
        "-frames:v",
        "1",
        "-c:v",
        "png",
        "-",
    ]
    first = subprocess.run(command, capture_output=True, check=True).stdout
    return count, duration, Image.open(io.BytesIO(first)).size


def read_gif(path):
    with Image.open(path) as image:
        waits = []
        for number in range(image.n_frames):
            image.seek(number)
            waits.append(image.info["duration"])
        return image.n_frames, sum(waits) / 1000, image.size


@pytest.mark.fault
@pytest.mark.parametrize("suffix", film.RATES_HZ)
def test_an_interrupted_film_leaves_the_old_one(tmp_path, suffix):
    path = tmp_path / f"film{suffix}"
    path.write_bytes(b"the old one")

    def breaking():
        yield from frames(signals(), [0.0, 0.1])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        film.write_film(path, breaking())
    assert path.read_bytes() == b"the old one"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_render_makes_a_film_strip(gl, tmp_path, capsys):
    path = tmp_path / "rep.png"
    assert main(["render", "--seed", "3", "--out", str(path)]) == 0
    assert capsys.readouterr().out.strip() == str(path)
    picture = np.asarray(Image.open(path))
    wide, tall = film.STRIP_SIZE
    assert picture.shape == (film.HEAD + tall + film.EDGE // 2 + film.PANEL_HEIGHT, LABELS + wide + film.EDGE, 3)
    poses = picture[film.HEAD : film.HEAD + tall, LABELS : LABELS + wide].astype(int)
    for column in np.split(poses, film.STRIP_POSES, axis=1):
        assert (np.ptp(column, axis=2) > 30).mean() > 0.02, "a column without a body"


@pytest.mark.fault
def test_an_interrupted_render_says_what_is_missing(gl, tmp_path, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(film, "compose_strip", interrupted)
    assert main(["render", "--out", str(tmp_path / "rep.png")]) == 130
    assert "rep.png was not written" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_render_makes_a_film_in_which_the_body_moves(gl, tmp_path):
    path = tmp_path / "rep.gif"
    assert main(["render", "--seed", "3", "--view", "side", "--out", str(path)]) == 0
    with Image.open(path) as image:
        assert image.n_frames > 10
        seen = []
        for number in (0, image.n_frames // 2):
            image.seek(number)
            seen.append(np.asarray(image.convert("RGB")).astype(int)[: round(0.5 * image.height)])
    assert (np.abs(seen[0] - seen[1]).max(2) > 60).mean() > 0.01


@pytest.mark.parametrize("name", ["rep.avi", "rep", "rep.PNG.txt"])
def test_an_unknown_suffix_is_refused(capsys, tmp_path, name):
    said = refusal(capsys, "render", "--out", str(tmp_path / name))
    assert ".png, .mp4, .gif" in said


def test_a_folder_that_is_not_there_is_refused(capsys, tmp_path):
    assert "make it first" in refusal(capsys, "render", "--out", str(tmp_path / "nowhere" / "rep.png"))


def test_mp4_without_ffmpeg_names_the_extra(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert "squat-sensor[render]" in refusal(capsys, "render", "--out", str(tmp_path / "rep.mp4"))


def test_an_exercise_that_is_unknown_is_refused(gl, capsys, tmp_path):
    said = refusal(capsys, "render", "--exercise", "planking", "--out", str(tmp_path / "rep.png"))
    assert "'planking'" in said
    assert "side_lunge" in said


@pytest.mark.parametrize(
    ("options", "word"),
    [({"--faults": "knee_valgus"}, "knee_valgus=0.6"), ({"--view": "above"}, "three-quarter"), ({"--reps": "0"}, "0")],
    ids=["faults", "view", "reps"],
)
def test_an_option_that_makes_no_sense_is_explained(capsys, options, word):
    with pytest.raises(SystemExit) as stopped:
        main(["render", "--out", "rep.png", *(text for option in options.items() for text in option)])
    assert stopped.value.code == 2
    assert word in capsys.readouterr().err


@pytest.mark.parametrize("command", [["render", "--out", "rep.png"], ["view"]], ids=["render", "view"])
def test_without_gl_there_is_one_sentence_and_status_2(tmp_path, command):
    environment = {**os.environ, "MUJOCO_GL": "disable", "PYTHONPATH": str(Path(__file__).parents[2])}
    environment.pop("DISPLAY", None)
    environment.pop("WAYLAND_DISPLAY", None)
    done = subprocess.run(
        [sys.executable, "-m", "real2sim.cli", *command], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert done.returncode == 2
    assert done.stderr.startswith("squat: cannot ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert not list(tmp_path.iterdir())
