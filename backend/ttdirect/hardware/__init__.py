"""What Tenstorrent hardware is in this computer, and what it can be expected to do.

The lowest layer: it imports nothing of the project and nothing heavy, so that every layer above
may ask it, and so that `ttdirect hardware` answers fast enough to be asked every few seconds. It
reads files and runs `tt-smi`; it never opens a device.
"""
