"""Tests of the plug into MMEngine."""
