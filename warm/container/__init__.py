"""The start of the server in a container: names of variables, volumes, first data, health."""
