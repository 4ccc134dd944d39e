"""The script the user owns: its template, rendered for a device and written with care.

Knows nothing else of the project at run time. Start with `render.render` for the text and
`create.create` for the file.
"""
