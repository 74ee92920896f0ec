"""DANTE: campaigns in the traffic that reaches unused addresses, followed from day to day."""

__version__ = "0.1.0"
