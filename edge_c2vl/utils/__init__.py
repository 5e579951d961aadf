"""Small helpers that know nothing of drivers."""
