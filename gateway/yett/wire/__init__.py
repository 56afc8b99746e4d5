"""Bytes to flows and back: strict JSON, server-sent events, one dialect a file. Sans-IO."""
