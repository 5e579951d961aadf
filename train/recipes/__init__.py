"""One documented command for each model that the project ships."""
