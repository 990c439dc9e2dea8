"""Tidemark: files land, tables follow. Exactly once."""

__version__ = "0.1.0"
