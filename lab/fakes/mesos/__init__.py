"""Fake master and agent of Mesos."""
