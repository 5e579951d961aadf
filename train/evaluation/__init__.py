"""Evaluation: a data set on disk and a model -> the published protocol's figures and a report."""
