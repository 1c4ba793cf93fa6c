"""Datasets of simulated repetitions, made in parallel and kept in HDF5."""
