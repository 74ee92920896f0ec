"""The report: one HTML page, complete in itself, of what reached a telescope."""

from dante.report.page import render, write_report

__all__ = ["render", "write_report"]
