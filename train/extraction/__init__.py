"""Skeletons from videos."""
