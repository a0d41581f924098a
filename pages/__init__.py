"""The dashboard's pages: widgets, one settings object, one core call, the result."""
