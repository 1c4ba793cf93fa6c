"""Stand-in recordings of four people and a small simulated dataset, made once for all tests."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def recordings(tmp_path_factory) -> Path:
    from real2sim.simulation import make_stand_ins

    folder = tmp_path_factory.mktemp("recordings") / "stand-in"
    make_stand_ins(folder, people=4, seed=0, jobs=2, progress=False)
    return folder


@pytest.fixture(scope="session")
def simulated(tmp_path_factory) -> Path:
    from generators.produce import produce
    from generators.recipe import randomised
    from generators.repetition import make_repetitions

    folder = tmp_path_factory.mktemp("simulated") / "randomised"
    produce(randomised(repetitions=60), folder, make=make_repetitions, jobs=2, progress=False)
    return folder
