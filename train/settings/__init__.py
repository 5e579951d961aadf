"""Settings as dataclasses, and their command-line flags. No PyTorch here."""
