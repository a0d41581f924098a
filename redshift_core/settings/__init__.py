"""Every setting of every job, checked, and the names and texts that go with them."""
