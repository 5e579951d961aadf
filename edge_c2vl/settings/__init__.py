"""Settings as dataclasses, each field of which is declared once: an option of the command line and a key of a file."""
