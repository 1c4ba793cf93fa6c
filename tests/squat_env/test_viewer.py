"""The viewer's clock; its window is opened where there is a screen."""

import threading

import pytest
from drawing import WHY_NOT
from wearers import performed

from squat_env import viewer
from squat_env.display import NoDisplay, has_screen, require_screen
from squat_env.viewer import STEP_S, Playback, play

SPACE, RIGHT, LEFT = 32, 262, 263


def test_the_film_repeats_at_its_speed():
    playback = Playback(duration_s=2.0, speed=0.5)
    playback.advance(3.0)
    assert playback.position_s == pytest.approx(1.5)
    playback.advance(1.5)
    assert playback.position_s == pytest.approx(0.25)


def test_space_pauses_and_goes_on():
    playback = Playback(duration_s=2.0)
    playback.press(SPACE)
    playback.advance(1.0)
    assert playback.position_s == 0.0
    playback.press(SPACE)
    playback.advance(1.0)
    assert playback.position_s == 1.0


def test_arrows_step_and_stay():
    playback = Playback(duration_s=2.0, position_s=1.0)
    playback.press(RIGHT)
    playback.advance(1.0)
    assert playback.position_s == pytest.approx(1.0 + STEP_S)
    playback.press(LEFT)
    playback.press(LEFT)
    assert playback.position_s == pytest.approx(1.0 - STEP_S)


def test_without_a_screen_the_message_names_the_way_out(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(NoDisplay, match="squat render"):
        require_screen()


@pytest.mark.skipif(WHY_NOT is not None or not has_screen(), reason="no screen")
def test_the_window_shows_body_and_line_until_it_is_closed(monkeypatch):
    model, _, done = performed()
    opened, drawn = viewer._open, []

    def open_for_a_moment(*given):
        handle = opened(*given)
        threading.Timer(2.0, lambda: (drawn.append(handle.user_scn.ngeom), handle.close())).start()
        return handle

    monkeypatch.setattr(viewer, "_open", open_for_a_moment)
    play(model, done.qpos, done.time)
    assert drawn
    assert drawn[0] > len(viewer.clothes(model)), "clothes, line and beads"
