"""Run directory to answers, with NumPy and ONNX Runtime alone."""
