"""What the pages share: navigation, pickers, the upload route, job progress, empty states."""
