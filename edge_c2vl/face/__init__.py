"""The driver's face: head, eyes, gaze and mouth, from the picture and the pose that was found in it."""
