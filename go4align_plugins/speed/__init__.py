"""How fast the package is, measured: one module a sub-command of ``tools/speed.py``."""
