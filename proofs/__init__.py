"""Longer proofs of what the tests show in short: each is a command that anyone can run again."""
