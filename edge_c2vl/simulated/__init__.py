"""A driver made by rules: what it does, where every joint is, and what a camera sees of it. NumPy and OpenCV only.

activities, gestures, scripts   what is done: key postures of Drive&Act's 34 activities, and their order
body, driver, motion            who does it: measures and habits, kinematics, posture by time
mesh, implicit, anatomy, ...    what it looks like: surfaces hung on the skeleton; the car around them
cameras, raster, render, film   what a camera sees of it, and the truth beside the picture
"""
