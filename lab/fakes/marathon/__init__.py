"""A fake Marathon."""
