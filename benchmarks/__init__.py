"""Every figure an issue names, measured. `python -m benchmarks` writes bench.json and prints the table."""
