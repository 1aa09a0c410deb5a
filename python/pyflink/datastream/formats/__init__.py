"""Formats of records: JSON and CSV."""
