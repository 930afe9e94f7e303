"""The natural English voice `heart`: a small network that runs on one core, in pieces."""
