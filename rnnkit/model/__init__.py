"""Facts -> keras.Model -> model.onnx."""
