"""The encoder: network, checkpoints, inference, export to ONNX."""
