"""Text to facts: what a Python file, a Markdown file and a request in them say."""
