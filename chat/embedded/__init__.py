"""The embedded language model: llama.cpp's server in a child process, with a small model."""
