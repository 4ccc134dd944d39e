"""Facts to findings: one file for a rule or a family of rules, `catalogue.py` for all of them."""
