"""INT8: calibration sets, quantisation, accuracy against FP32."""

import edge_c2vl  # noqa: F401, which switches off what dependencies send home, before any of them is imported here
