"""Small files in the forms of published data sets."""
