"""Training: data sets, encoder, knowledge prompts, objectives, protocols, export. PyTorch lives here."""
