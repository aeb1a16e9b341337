"""Pages of the front door. Each parses, makes one domain call, and says what came of it."""
