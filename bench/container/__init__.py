"""The image of the CPU: built and started by an engine, or in a chroot by the same steps."""
