"""Where decisions, events and alerts go."""
