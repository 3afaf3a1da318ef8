"""Thin faces over `delivery/`: parse, call, render. No logic here."""
