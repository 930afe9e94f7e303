"""Idle loops of a face with the mouth closed: head sway, blinks, closed mouths of videos."""
