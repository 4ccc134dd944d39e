"""`python -m ttdirect.language_server`: what `ttdirect language-server` starts, and quicker.

For editors that know which Python to start: it leaves the other commands unread.
"""

import gc
from importlib import import_module

if __name__ == "__main__":
    gc.disable()  # what is imported stays: looking through it again and again takes time
    import_module("ttdirect.language_server.lsp.server").serve_stdio()
