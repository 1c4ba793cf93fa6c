"""Importers of real recordings, one format a file; every one of them returns `Recording`s."""

from real2sim.recordings.recording import Labels, Recording, RecordingError, Repairs, Stream

__all__ = ["Labels", "Recording", "RecordingError", "Repairs", "Stream"]
