"""Training: data sets, encoder, knowledge prompts, objectives, protocols, export. PyTorch lives here."""

import edge_c2vl  # noqa: F401, which switches off what dependencies send home, before any of them is imported here
