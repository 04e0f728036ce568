"""The hand-over: lists of messages from smtp-gateway are committed in groups, and answered after the flush."""
