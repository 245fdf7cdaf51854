"""A fake Chronos."""
