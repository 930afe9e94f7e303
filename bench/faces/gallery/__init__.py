"""Any folder of faces, rendered and measured: `python -m bench faces DIR`."""
