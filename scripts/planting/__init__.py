"""Bugs that lose data or let somebody too far, planted one at a time in a copy: who finds them?"""
