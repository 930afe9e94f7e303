"""Recognition of speech, behind one interface: samples in, text out."""
