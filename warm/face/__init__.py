"""Detection of faces and their landmarks with MediaPipe's models on LiteRT."""
