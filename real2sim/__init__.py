"""Real recordings into the simulated domain, and what a recogniser trained on simulation then makes of them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from real2sim.converter import Converter

__all__ = ["Converter"]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first asked for."""
    if name != "Converter":
        raise AttributeError(f"module 'real2sim' has no attribute {name!r}")
    from real2sim.converter import Converter

    return Converter
