"""What a face does while nobody speaks: sway and blink, with the mouth closed."""
