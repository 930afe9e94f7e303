"""Moonshine tiny-en: recognition of English on one core, with onnxruntime alone."""
