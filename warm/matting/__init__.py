"""People without their background: mattes, and pictures and films made with them."""
