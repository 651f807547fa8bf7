"""How fast the package is, for its developers: ``python benchmarks/run.py --help``."""
