"""Simulated drivers by the thousand: skeletons only, in NumPy, for training. No picture is drawn.

`people.py` draws bodies and vehicles, `kinematics.py` solves all postures at once, `gestures.py` says where hands go,
`activities.py` what drivers do, `motion.py` plays it, `cameras.py` looks at it, `estimator.py` makes a pose estimator's
errors, and `clips.py` joins them: `draw_clips(count, seed)`.
"""
