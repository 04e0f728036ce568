"""What sessions read: folders, FETCH, SEARCH, RETR. No row is locked, and nothing waits for a change."""
