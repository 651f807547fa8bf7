"""Pictures: maps beside maps, curves, heat maps."""
