"""How strongly a device moves: amplitudes and spectra that do not depend on how it is mounted."""

import numpy as np

GRAVITY = 9.81
BANDS_HZ = ((0.0, 0.5), (0.5, 1.0), (1.0, 2.0), (2.0, 4.0), (4.0, 8.0))
SHORTEST_S = 4.0  # of a signal whose spectrum tells something


def dynamic(accel: np.ndarray) -> np.ndarray:
    """Norm of proper acceleration (T, 3) minus gravity, (T,) [m/s^2]; 0 at rest."""
    return np.linalg.norm(accel, axis=1) - GRAVITY


def rms(values: np.ndarray) -> float:
    """Root mean square of the values that are not NaN; NaN where there are none."""
    known = values[np.isfinite(values)]
    return float(np.sqrt((known**2).mean())) if len(known) else float("nan")


def peak(values: np.ndarray) -> float:
    """The 99th percentile of the absolute values that are not NaN; NaN where there are none."""
    known = np.abs(values[np.isfinite(values)])
    return float(np.percentile(known, 99)) if len(known) else float("nan")


def swing(values: np.ndarray) -> float:
    """From the 5th to the 95th percentile of the values that are not NaN; NaN where there are none."""
    known = values[np.isfinite(values)]
    return float(np.ptp(np.percentile(known, (5, 95)))) if len(known) else float("nan")


def turn_deg(one: np.ndarray, other: np.ndarray) -> float:
    """Angle between the mean accelerations (n, 3) and (m, 3) of two phases [deg]; NaN where either is empty.

    Over a whole phase the mean is gravity, nearly: the angle says how far the device tips between the two.
    """
    means = [part[np.isfinite(part).all(axis=1)] for part in (one, other)]
    if not all(map(len, means)):
        return float("nan")
    a, b = (part.mean(axis=0) / np.linalg.norm(part.mean(axis=0)) for part in means)
    return float(np.rad2deg(np.arccos(np.clip(a @ b, -1.0, 1.0))))


def band_rms(values: np.ndarray, rate_hz: float, bands_hz: tuple[tuple[float, float], ...] = BANDS_HZ) -> np.ndarray:
    """Root mean square of a signal within frequency bands.

    The mean is taken away and a Hann window laid over the signal, whose power is corrected for. The power of all axes
    is added up, so that a turn of the device changes nothing.

    Args:
        values: (T,) or (T, k) without NaN.
        rate_hz: Of the samples.
        bands_hz: (low, high) pairs [Hz]; low belongs to the band, high to the next.

    Returns:
        (len(bands_hz),) in the signal's unit; NaN where the signal lasts less than `SHORTEST_S`.
    """
    columns = values.reshape(len(values), -1)
    if len(columns) < SHORTEST_S * rate_hz:
        return np.full(len(bands_hz), np.nan)
    window = np.hanning(len(columns))[:, None]
    spectrum = np.abs(np.fft.rfft((columns - columns.mean(0)) * window, axis=0)) ** 2
    power = 2.0 * spectrum.sum(1) / (len(columns) * (window**2).sum())
    frequency = np.fft.rfftfreq(len(columns), 1.0 / rate_hz)
    return np.array([np.sqrt(power[(frequency >= low) & (frequency < high)].sum()) for low, high in bands_hz])
