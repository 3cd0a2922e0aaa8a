"""Bulk operations on a hosting provider's IP API, from a job file to one report row per item."""

__version__ = "0.1.0"
