"""A data set of simulated drivers in Drive&Act's own files: to try loaders and protocols from end to end, and to
measure speed. Accuracy on it says nothing about real drivers."""
