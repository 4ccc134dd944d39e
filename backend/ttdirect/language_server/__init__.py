"""Help while a person edits a server script or the lesson's Markdown.

`analysis` turns text into facts, `rules` turn facts into findings, and `lsp` says both to an
editor. Nothing below `lsp` knows the protocol, and nothing here imports torch, flask or ttnn.
"""
