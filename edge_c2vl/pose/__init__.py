"""Pose: a picture -> the 33 landmarks of the driver. Which way it is done: estimator.py."""

from edge_c2vl.pose.estimator import KINDS, PoseEstimator, identity_of, resolve
from edge_c2vl.skeletons.evidence import Evidence

__all__ = ["KINDS", "Evidence", "PoseEstimator", "identity_of", "resolve"]
