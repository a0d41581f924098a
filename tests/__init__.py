"""Tests, one file per file of the package."""
