"""A decoder in C for quantised weights, and the way to it from Python.

The C files say what is computed; `build` finds or makes the library, `library` calls it.
"""
