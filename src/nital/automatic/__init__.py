"""The automatic mode: what to look for, at which scale, and all of it without a click."""
