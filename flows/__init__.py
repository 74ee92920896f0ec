"""Orchestration only: parameters are dates and names, the work is in `tasks` and `dante`."""
