"""Checks that teach: an engine that compares behaviour, and one module of checks per notebook."""
