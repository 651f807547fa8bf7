"""The commands of ``tools/leaderboard.py``."""
