"""`squat convert DIR, phases, export-model`: a run in use on other recordings."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any


def add_recordings(command: argparse.ArgumentParser) -> None:
    """Lets `squat convert` convert recordings of any folder."""
    command.add_argument("recordings", type=Path, nargs="?", metavar="DIR", help="recordings to convert (plain folder)")
    command.add_argument("--out", type=Path, help="new folder for the converted recordings of DIR")
    _add_choice(command)
    stage = command.get_default("run")
    command.set_defaults(run=lambda options: _convert(options) if _asks(options) else stage(options))


def add_using(commands: Any) -> None:
    """Adds the commands that read recordings with a run, and hand it on."""
    phases = commands.add_parser("phases", help="phases and repetitions of a recording, with confidence")
    phases.add_argument("--run", dest="folder", type=Path, required=True, help="run folder")
    phases.add_argument("recording", type=Path, help="DIR/NAME, a recording of a plain folder")
    phases.add_argument("--json", action="store_true", help="for programs")
    _add_choice(phases)
    phases.set_defaults(run=_phases)
    export = commands.add_parser("export-model", help="converter and recogniser as one torch.export program")
    export.add_argument("--run", dest="folder", type=Path, required=True, help="run folder")
    export.add_argument("--out", type=Path, required=True, help="file to write, such as squat.pt2")
    _add_choice(export)
    export.set_defaults(run=_export)


def _add_choice(command: argparse.ArgumentParser) -> None:
    which = command.add_argument_group("which networks")
    which.add_argument("--row", help="that converts (default: two-encoder)")
    which.add_argument("--seed", type=int, help="of the training (default: the first; for phases the mean of all)")
    which.add_argument("--fold", type=int, help="default: the one that has not seen the person, where that is known")


def _chosen(options: argparse.Namespace) -> dict[str, Any]:
    names = ("row", "seed", "fold")
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def _asks(options: argparse.Namespace) -> bool:
    return bool(options.recordings or options.out or _chosen(options))


def _convert(options: argparse.Namespace) -> None:
    from real2sim.recordings.plain import write_folder
    from real2sim.run import Run, RunError
    from real2sim.using import converted_recordings

    if options.recordings is None or options.out is None:
        raise RunError(f"DIR is {options.recordings} and --out {options.out}, expected both; name them")
    run = Run.open(options.folder)
    write_folder(options.out, converted_recordings(run, options.recordings, **_chosen(options)))
    print(options.out)


def _phases(options: argparse.Namespace) -> None:
    from real2sim.converter import fold_of
    from real2sim.recordings.plain import read_folder
    from real2sim.repetitions import count, repetitions, stretches
    from real2sim.run import Run, RunError
    from real2sim.using import reading_of, sequence_of, upright_probabilities

    run, folder = Run.open(options.folder), options.recording.resolve().parent
    found = [r for r in read_folder(folder, labels="optional") if r.name == options.recording.name]
    if not found:
        raise RunError(f"{folder} lists no recording {options.recording.name!r}, expected one of its list; choose it")
    told = upright_probabilities(run, found[0], folder, **_chosen(options))
    chosen = _chosen(options)
    chosen["fold"] = fold_of(run, folder, found[0].subject, chosen.get("fold"))
    reading, calibration = reading_of(run, **chosen)
    phases = stretches(told.mean(axis=0), reading)
    counted = repetitions(phases)
    start, rate = sequence_of(run, found[0]).start_s, run.config.rate_hz
    document = {
        "recording": found[0].name,
        "networks": len(told),
        "repetitions": len(counted),
        "confidence": sum(r.confidence for r in counted) / len(counted) if counted else None,
        "agreeing": sum(count(one, reading) == len(counted) for one in told),
        "reading": asdict(reading),
        "calibration": calibration,
        "phases": [
            {
                "from_s": start + stretch.start / rate,
                "to_s": start + stretch.stop / rate,
                "phase": ("down", "upright")[stretch.phase],
                "confidence": stretch.confidence,
            }
            for stretch in phases
        ],
    }
    print(json.dumps(document, indent=1) if options.json else _as_text(document))


def _as_text(document: dict[str, Any]) -> str:
    lines = [
        f"{p['from_s']:8.2f} s to {p['to_s']:8.2f} s  {p['phase']:8}{p['confidence']:5.0%}" for p in document["phases"]
    ]
    sure = "" if document["confidence"] is None else f", confidence {document['confidence']:.0%}"
    agreeing = f"{document['agreeing']} of {document['networks']} networks count the same"
    return "\n".join([*lines, f"{document['repetitions']} repetitions{sure}; {agreeing}", _meaning(document)])


def _meaning(document: dict[str, Any]) -> str:
    found = document["calibration"]
    if not found:
        return "thresholds and confidence are not calibrated: the run's simulated data are not there"
    return (
        f"confidence is the share of samples expected to be right, off by {found['confidence_off_after']:.0%} on "
        f"{found['sequences']} simulated sets, of which {found['counted_wrong_after']} repetitions were counted wrong"
    )


def _export(options: argparse.Namespace) -> None:
    from real2sim.run import Run
    from real2sim.using import export_model

    differences = export_model(Run.open(options.folder), options.out, **_chosen(options))
    print(f"{options.out}: differs by at most {max(differences.values()):.1g} from the networks of the run")
