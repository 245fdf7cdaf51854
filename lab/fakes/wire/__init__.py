"""Code shared by the fake daemons: HTTP, leader election and registration with the master."""
