"""Knowledge: captions of skeleton clips, and the bank of their embeddings."""
