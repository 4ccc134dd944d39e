"""The protocol: positions are converted here and nowhere else, and features are registered."""
