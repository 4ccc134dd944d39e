"""The command `ttdirect`: one module per subcommand, each with `add_parser` and `run`.

Data goes to stdout, everything else to stderr. `main.main` is where it starts.
"""
