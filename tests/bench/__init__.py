"""Programs that measure: `make bench-data`, and `python -m tests.bench.scale` for the size of ChestX-ray14."""
