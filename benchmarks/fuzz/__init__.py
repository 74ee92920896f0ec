"""Damaged files of every format, and what may come of reading them."""
