"""Skeletons: joint layouts, clips, archives."""
