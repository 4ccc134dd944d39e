"""What a request may hold, as data: the server checks with it, editors help with it.

It imports nothing of the project and nothing heavy, so that the language server can read it
without Flask or pydantic.
"""
