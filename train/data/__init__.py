"""Clips of an archive for training: cache, loader, augmentation, splits."""
