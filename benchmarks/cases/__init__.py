"""The cases of `benchmarks/run.py`: each module has `measure(size)` that returns figures by name."""
