"""A past drive, from decisions or from skeletons, shown on the live page."""
