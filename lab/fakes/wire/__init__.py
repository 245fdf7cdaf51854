"""What more than one fake daemon uses: HTTP, elections, registration of peers."""
