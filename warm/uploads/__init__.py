"""Files that clients have sent: streamed to disk, recognised by content, stored once."""
