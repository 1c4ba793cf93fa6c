"""Is it human? Simulated repetitions beside real ones and beside published bands."""
