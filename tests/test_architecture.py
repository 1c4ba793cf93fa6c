"""The rules of the house: who may import what, and what every module says of itself."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(path for package in ("squat_env", "generators", "real2sim") for path in (ROOT / package).rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in FILES]

# library -> where it may be imported
HOMES = {
    "h5py": ("generators/store/",),
    "joblib": ("generators/engines.py",),
    "distributed": ("generators/engines.py",),
    "submitit": ("generators/cluster.py",),
    "torch": ("real2sim/",),
    "mujoco": ("squat_env/",),
    "numba": ("squat_env/compiled.py",),
    "mujoco_warp": ("squat_env/accelerator.py",),
    "warp": ("squat_env/accelerator.py", "squat_env/accelerator_kernels.py"),
    "gymnasium": ("squat_env/", "generators/export.py"),
    "real2sim": ("real2sim/",),
    "generators": ("generators/", "real2sim/"),
    "matplotlib": (
        "generators/card.py",
        "real2sim/report.py",
        "real2sim/pictures.py",
        "real2sim/signal_panel.py",
        "real2sim/film.py",
        "real2sim/validation/page.py",
    ),
    "PIL": ("real2sim/film.py",),
    "imageio_ffmpeg": ("real2sim/film.py",),
}
# the only files of real2sim that may make, describe or hand on datasets and not just read them
MAKERS = (
    "real2sim/simulation.py",
    "real2sim/cli/datasets.py",
    "real2sim/cli/describing.py",
    "real2sim/cli/upkeep.py",
)


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_imports_stay_in_their_rooms(name):
    for module in imported(ROOT / name):
        homes = HOMES.get(module.split(".")[0])
        assert homes is None or name.startswith(homes), f"{name} imports {module}, which lives in {homes}"


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("real2sim/") and name not in MAKERS])
def test_learning_reads_datasets_through_the_store_alone(name):
    # workers holds nothing of datasets: how a process serves its parent
    modules = {module for module in imported(ROOT / name) if module.startswith("generators")} - {"generators.workers"}
    assert all(module.startswith("generators.store") for module in modules), modules


@pytest.mark.parametrize("name", NAMES)
def test_every_module_says_what_it_is_for(name):
    if (ROOT / name).read_text():
        assert ast.get_docstring(ast.parse((ROOT / name).read_text())), name


def test_no_room_without_a_purpose():
    vague = {"utils", "common", "helpers", "base", "manager"}
    assert not [name for name in NAMES if Path(name).stem in vague]


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("squat_env", {"mujoco", "torch"}),
        ("squat_env.display", {"mujoco"}),
        ("real2sim.film", {"mujoco", "torch"}),
        ("generators.store", {"mujoco", "gymnasium", "torch"}),
        ("generators.warp", {"warp"}),
        ("generators.card", {"mujoco", "torch"}),
        ("generators.export", {"mujoco", "torch", "pyarrow"}),
        ("real2sim.loading", {"mujoco"}),
        ("real2sim.training", {"mujoco"}),
        ("real2sim.stages", {"mujoco"}),
        ("real2sim.cli", {"mujoco", "torch", "numpy"}),
    ],
)
def test_importing_loads_no_more_than_needed(module, absent):
    code = f"import sys, {module}; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not absent & set(done.stdout.split())
