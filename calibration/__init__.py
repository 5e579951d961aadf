"""INT8: calibration sets, quantisation, accuracy against FP32."""
