"""Facts to help: hovers, signatures, completion, lenses, hints, links. No word of the protocol."""
