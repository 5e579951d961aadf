"""Model bundles: ONNX models, manifest, labels in words."""
