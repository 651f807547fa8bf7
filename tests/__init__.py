"""The tests mirror the package; what trains, renders or converts is marked `integration`."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
TOOLS = ROOT / 'tools'
SHARED = ROOT.parent / 'shared'
